using System.Runtime.InteropServices;
using PixelCnnCluster.Model.Kernels;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// Where a cached network's rows and weights live: in arrays of the host, or for kernels in tensors on the parameters' device.
/// </summary>
/// <param name="activation">Of the network's blocks.</param>
/// <param name="kernels">Null computes on the host.</param>
internal sealed class RowAllocator(Parameters parameters, int images, Activation activation, KernelLibrary? kernels) : IDisposable
{
    private readonly List<Tensor> _kept = [];

    public Parameters Parameters => parameters;

    public int Images => images;

    /// <summary>Channels with the zeros that fill a whole number of blocks.</summary>
    public static int Padded(int channels) => (channels + MatrixProduct.Block - 1) / MatrixProduct.Block * MatrixProduct.Block;

    /// <summary>Groups in which an activation's channels come.</summary>
    public int Expansion => activation.Expansion;

    /// <param name="groups">Groups of <paramref name="channels"/>, each of which is padded.</param>
    public RowCache Rows(int width, int channels, int groups = 1) => Rows(width, groups * Padded(channels), activated: null);

    /// <summary>Rows with what the blocks' nonlinearity makes of them.</summary>
    public RowCache ActivatedRows(int width, int channels) => Rows(width, Padded(channels), Rows(width, channels, Expansion));

    /// <summary>Effective weights [out, in, width], in the network's order of channels, as a matrix [width x in, out].</summary>
    public Matrix Matrix(Tensor weights, int inputGroups = 1, int outputGroups = 1)
    {
        using DisposeScope scope = NewDisposeScope();
        long outputs = weights.shape[0] / outputGroups, inputs = weights.shape[1] / inputGroups, width = weights.shape[2];
        Tensor grouped = weights.permute(2, 1, 0).reshape(width, inputGroups, inputs, outputGroups, outputs);
        Tensor matrix = F.pad(grouped, [0, Padded((int)outputs) - outputs, 0, 0, 0, Padded((int)inputs) - inputs])
            .reshape(width * inputGroups * Padded((int)inputs), outputGroups * Padded((int)outputs));
        int height = (int)matrix.shape[0], across = (int)matrix.shape[1];
        return kernels is null
            ? new(height, across, Floats(matrix.view(height, -1, MatrixProduct.Block).transpose(0, 1)), null)
            : new(height, across, null, Keep(matrix.contiguous()));
    }

    /// <summary>A bias [out] or one for each image [N, out], as a row one column wide.</summary>
    public RowCache Start(Tensor bias, int groups = 1)
    {
        using DisposeScope scope = NewDisposeScope();
        long channels = bias.shape[^1] / groups;
        RowCache start = Rows(1, (int)channels, groups);
        Tensor padded = F.pad(bias.view(-1, groups, channels), [0, Padded((int)channels) - channels]).flatten(1);
        start.Write(0, Floats(padded.expand(images, padded.shape[1])));
        return start;
    }

    /// <summary>Zeros [N, length, width], in an order that is the user's own.</summary>
    public (float[]? Host, Tensor? Device) Memory(int length, int width) => kernels is null
        ? (new float[images * length * width], null)
        : (null, Keep(zeros([images, length, width], device: parameters.Values.device)));

    public void Dispose()
    {
        foreach (Tensor tensor in _kept)
            tensor.Dispose();
    }

    internal static float[] Floats(Tensor tensor)
    {
        using Tensor host = tensor.cpu().contiguous();
        return MemoryMarshal.Cast<byte, float>(host.bytes).ToArray();
    }

    private RowCache Rows(int width, int padded, RowCache? activated)
    {
        long[] shape = [images, width + 2, padded];
        float[]? host = kernels is null ? new float[shape[0] * shape[1] * shape[2]] : null;
        return new(shape, host, kernels is null ? null : (Keep(zeros(shape, device: parameters.Values.device)), kernels))
        {
            Activated = activated,
            Nonlinearity = activation.Nonlinearity,
        };
    }

    private Tensor Keep(Tensor tensor)
    {
        _kept.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }
}

/// <summary>Weights [height, across]; on the CPU in blocks of outputs, each [height, <see cref="MatrixProduct.Block"/>].</summary>
internal sealed record Matrix(int Height, int Across, float[]? Host, Tensor? Device);
