using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model;

/// <summary>
/// The PixelCNN++ network (Salimans et al. 2017, arXiv 1701.05517). The vertical stream u sees the rows above a pixel, the
/// horizontal stream ul those and the pixels to its left; both go up through three stages at full, half and quarter size and
/// back down, with shortcuts between the stages. It holds no tensors: the parameters come with each <see cref="ForwardContext"/>.
/// </summary>
public sealed class PixelCnn
{
    internal const int Stages = 3;

    public PixelCnn(NetworkShape shape)
    {
        Shape = shape;
        int filters = shape.Filters;
        int planes = shape.Channels + 1 + (shape.CoordinateChannels ? 2 : 0);
        FirstAbove = new(Layout, "u_init", planes, filters, CausalKernel.Down());
        FirstAboveForUl = new(Layout, "ul_init.0", planes, filters, CausalKernel.Down(1, 3));
        FirstLeft = new(Layout, "ul_init.1", planes, filters, CausalKernel.DownRight(2, 1));
        Up = Blocks("up", _ => shape.Blocks, shortcut: 0);
        Downsize = [.. Enumerable.Range(0, Stages - 1).Select(s => (
            new ShiftedConvolution(Layout, $"downsize.{s}.u", filters, filters, CausalKernel.Down(), stride: 2),
            new ShiftedConvolution(Layout, $"downsize.{s}.ul", filters, filters, CausalKernel.DownRight(), stride: 2)))];
        for (int stage = 1; shape.NonLocal && stage < Stages; stage++)
            NonLocal[stage] = new(Layout, $"non_local.{stage}", filters);
        DownPassStart = Layout.Length;
        Upsize = [.. Enumerable.Range(0, Stages - 1).Select(s => (
            new ShiftedUpsampling(Layout, $"upsize.{s}.u", filters, CausalKernel.Down()),
            new ShiftedUpsampling(Layout, $"upsize.{s}.ul", filters, CausalKernel.DownRight())))];
        Down = Blocks("down", stage => stage == 0 ? shape.Blocks : shape.Blocks + 1, shortcut: filters);
        if (shape.EnergyDistance)
            EnergyHead = new(Layout, filters, shape.Channels);
        else
            Output = new(Layout, "out", filters, shape.Logits);
    }

    public NetworkShape Shape { get; }

    internal ShiftedConvolution FirstAbove { get; }

    internal ShiftedConvolution FirstAboveForUl { get; }

    internal ShiftedConvolution FirstLeft { get; }

    internal (GatedBlock U, GatedBlock Ul)[][] Up { get; }

    internal (GatedBlock U, GatedBlock Ul)[][] Down { get; }

    /// <summary>From each stage to the next.</summary>
    internal (ShiftedConvolution U, ShiftedConvolution Ul)[] Downsize { get; }

    internal (ShiftedUpsampling U, ShiftedUpsampling Ul)[] Upsize { get; }

    /// <summary>At the end of each stage of the up pass; null for a stage without.</summary>
    internal NonLocalBlock?[] NonLocal { get; } = new NonLocalBlock?[Stages];

    /// <summary>Null for energy distance.</summary>
    internal Pointwise? Output { get; }

    /// <summary>Null but for energy distance.</summary>
    internal EnergyHead? EnergyHead { get; }

    public ParameterLayout Layout { get; } = new();

    /// <summary>Where the parameters of the down pass begin in the flat vector; those of the up pass come before.</summary>
    public long DownPassStart { get; }

    /// <summary>Dropout masks of a pass.</summary>
    public int Masks => Up.Concat(Down).Sum(stage => 2 * stage.Length);

    /// <summary>Multiply-adds count as two; convolutions and 1x1 layers of one image's forward pass.</summary>
    public long ForwardOperations => OperationCount.OfForward(Layout, Shape);

    /// <summary>
    /// Directions v from N(0, 0.05) and class weights likewise (Salimans and Kingma 2016); the rest is set by an initialising pass.
    /// </summary>
    public void SampleParameters(Parameters parameters, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var none = no_grad();
        using var generator = new Generator(seed, CPU);
        foreach (Slot slot in Layout.Slots)
        {
            Tensor draw = randn(slot.Shape, generator: generator).Times(0.05);
            parameters[slot].copy_(
                slot.Name.EndsWith(".v", StringComparison.Ordinal) || slot.Name.EndsWith(".w", StringComparison.Ordinal) ? draw
                    : zeros_like(draw));
        }
    }

    /// <summary>
    /// Images [N, C, H, W] in [-1, 1] to mixture parameters [N, <see cref="NetworkShape.Logits"/>, H, W], or for energy distance
    /// to samples [S, N, C, H, W]. H may be any multiple of 4 up to the size: rows below never matter to those above.
    /// </summary>
    public Tensor Forward(ForwardContext context, Tensor images)
    {
        Tensor features = Features(context, images);
        return EnergyHead?.Forward(context, features) ?? Output!.Forward(context, features).permute(0, 3, 1, 2);
    }

    /// <summary>
    /// What the last layer sees, [N, H, W, filters], float32: a colour's mean and spread need more digits than bfloat16 has.
    /// </summary>
    internal Tensor Features(ForwardContext context, Tensor images)
    {
        ProductRounding.Set(context.Precision, images.device);
        Tensor input = WithPlanes(images).As(context.Precision == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32);
        Stack<Tensor> us = new(), uls = new();
        us.Push(ShiftDown(FirstAbove.Forward(context, input)));
        uls.Push(ShiftDown(FirstAboveForUl.Forward(context, input)).Plus(ShiftRight(FirstLeft.Forward(context, input))));
        for (int stage = 0; stage < Stages; stage++)
        {
            if (stage > 0)
            {
                us.Push(Downsize[stage - 1].U.Forward(context, us.Peek()));
                uls.Push(Downsize[stage - 1].Ul.Forward(context, uls.Peek()));
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in Up[stage])
            {
                us.Push(blockU.Forward(context, us.Peek()));
                uls.Push(blockUl.Forward(context, uls.Peek(), us.Peek()));
            }

            if (NonLocal[stage] is { } attention)
                uls.Push(attention.Forward(context, uls.Pop()));
        }

        Tensor u = us.Pop(), ul = uls.Pop();
        if (context.DownPassDone is { } done)
            ul = BackwardHook.Apply(ul, done);
        for (int stage = 0; stage < Stages; stage++)
        {
            if (stage > 0)
            {
                u = Upsize[stage - 1].U.Forward(context, u);
                ul = Upsize[stage - 1].Ul.Forward(context, ul);
            }

            foreach ((GatedBlock blockU, GatedBlock blockUl) in Down[stage])
            {
                u = blockU.Forward(context, u, us.Pop());
                ul = blockUl.Forward(context, ul, cat([u, uls.Pop()], -1));
            }
        }

        return ul.As(ScalarType.Float32).Elu();
    }

    /// <summary>A column's or row's position from -1 to 1.</summary>
    internal static float Coordinate(int position, int size) => (2f * position / (size - 1)) - 1;

    private (GatedBlock U, GatedBlock Ul)[][] Blocks(string name, Func<int, int> count, int shortcut) =>
        [.. Enumerable.Range(0, Stages).Select(stage => Enumerable.Range(0, count(stage)).Select(i => (
            new GatedBlock(Layout, $"{name}.{stage}.u.{i}", Shape, CausalKernel.Down(), shortcut),
            new GatedBlock(Layout, $"{name}.{stage}.ul.{i}", Shape, CausalKernel.DownRight(), shortcut + Shape.Filters))).ToArray())];

    /// <summary>
    /// [N, H, W, C + planes]: after the image a plane of ones, which tells it from padding, and, if asked for, the columns' and the
    /// rows' position from -1 to 1 (arXiv 1807.03247).
    /// </summary>
    internal Tensor WithPlanes(Tensor images)
    {
        long count = images.shape[0], height = images.shape[2], width = images.shape[3];
        List<Tensor> planes = [images.permute(0, 2, 3, 1), ones([count, height, width, 1], device: images.device)];
        if (Shape.CoordinateChannels)
        {
            // Made where they are used, so that a recording on a GPU makes them too; the same bits as a single coordinate's.
            Tensor positions = TensorMath.Positions(Shape.Size, images.device).Times(2).Over(Shape.Size - 1).Plus(-1);
            planes.Add(positions.view(1, 1, width, 1).expand(count, height, width, 1));
            planes.Add(positions.narrow(0, 0, height).view(1, height, 1, 1).expand(count, height, width, 1));
        }

        return cat(planes, -1);
    }

    private static Tensor ShiftDown(Tensor x) => F.pad(x.narrow(1, 0, x.shape[1] - 1), [0, 0, 0, 0, 1, 0]);

    private static Tensor ShiftRight(Tensor x) => F.pad(x.narrow(2, 0, x.shape[2] - 1), [0, 0, 1, 0]);
}
