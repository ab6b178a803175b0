using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>
/// concat_elu, dropout and padding in one pass over memory, forward and backward. The tensor library would take
/// eight passes, and a mask as large as the activation.
/// </summary>
internal sealed class FusedConcatElu : autograd.SingleTensorFunction<FusedConcatElu>
{
    public override string Name => nameof(FusedConcatElu);

    /// <summary>Whether the kernels are for such a tensor; others take the library's operations.</summary>
    public static bool Takes(Tensor input) => input.IsOnCpu() ? input.dtype == ScalarType.Float32 : GpuKernels.Takes(input);

    /// <summary>[N, H, W, C] to [N, H + top, W + left + right, 2 C].</summary>
    /// <param name="maskKey">int32 [1] on the input's device, which decides what is dropped; null without dropout.</param>
    public static Tensor Apply(Tensor input, ImagePadding padding, double dropout, Tensor? maskKey) =>
        apply(input, padding, dropout, maskKey!);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor input = ((Tensor)vars[0]).contiguous();
        var rows = new Rows(input.shape, (ImagePadding)vars[1], (double)vars[2]);
        // Without dropout there is no key, and what lies in its place decides nothing.
        Tensor key = (Tensor?)vars[3] ?? input;
        ctx.save_for_backward([input, key]);
        ctx.save_data("rows", rows);
        Tensor output = empty(rows.OutputShape, input.dtype, input.device);
        if (input.IsOnCpu())
            rows.Forward(Floats(input), Floats(output), Key(key));
        else
            GpuKernels.Of(input).ForEach("concat_elu", input.dtype, output.numel() / 2, [input, key, output], rows.Numbers);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        BackwardScope.Begin(grad_output);
        List<Tensor> saved = ctx.get_saved_variables();
        using Tensor input = saved[0], key = saved[1], gradient = grad_output.contiguous();
        Tensor result = empty(input.shape, input.dtype, input.device);
        var rows = (Rows)ctx.get_data("rows");
        if (input.IsOnCpu())
            rows.Backward(Floats(input), Floats(gradient), Floats(result), Key(key));
        else
            GpuKernels.Of(input).ForEach("concat_elu_backward", input.dtype, input.numel(), [input, key, gradient, result], rows.Numbers);
        return [result, null!, null!, null!];
    }

    internal static Span<float> Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    private static uint Key(Tensor key) => MemoryMarshal.Read<uint>(key.bytes);

    /// <summary>The loops over pixels; each pixel's channels are one run of memory.</summary>
    internal sealed class Rows(long[] shape, ImagePadding padding, double dropout)
    {
        private readonly int _count = (int)shape[0], _height = (int)shape[1], _width = (int)shape[2], _channels = (int)shape[3];
        private readonly float _keptScale = (float)(1 / (1 - dropout));
        private readonly uint _threshold = (uint)(dropout * uint.MaxValue);

        /// <summary>The same for the kernels of a GPU.</summary>
        public uint[] Numbers =>
        [
            (uint)_height, (uint)_width, (uint)_channels, (uint)padding.Top, (uint)padding.Left,
            (uint)(_width + padding.Left + padding.Right),
            _threshold, BitConverter.SingleToUInt32Bits(_keptScale),
        ];

        public long[] OutputShape => [_count, _height + padding.Top, _width + padding.Left + padding.Right, 2 * _channels];

        public void Forward(ReadOnlySpan<float> input, Span<float> output, uint key)
        {
            int wide = _width + padding.Left + padding.Right, pixel = 2 * _channels;
            for (int n = 0; n < _count; n++)
            {
                output.Slice(n * (_height + padding.Top) * wide * pixel, padding.Top * wide * pixel).Clear();
                for (int y = 0; y < _height; y++)
                {
                    int source = (n * _height + y) * _width * _channels;
                    int target = ((n * (_height + padding.Top) + padding.Top + y) * wide) * pixel;
                    output.Slice(target, padding.Left * pixel).Clear();
                    output.Slice(target + (padding.Left + _width) * pixel, padding.Right * pixel).Clear();
                    for (int x = 0; x < _width; x++)
                        ForwardPixel(
                            input.Slice(source + x * _channels, _channels), output.Slice(target + (padding.Left + x) * pixel, pixel),
                            (uint)(source + x * _channels), key);
                }
            }
        }

        public void Backward(ReadOnlySpan<float> input, ReadOnlySpan<float> gradient, Span<float> result, uint key)
        {
            int wide = _width + padding.Left + padding.Right, pixel = 2 * _channels;
            for (int n = 0; n < _count; n++)
            {
                for (int y = 0; y < _height; y++)
                {
                    int source = (n * _height + y) * _width * _channels;
                    int target = ((n * (_height + padding.Top) + padding.Top + y) * wide + padding.Left) * pixel;
                    for (int x = 0; x < _width; x++)
                    {
                        int at = source + x * _channels;
                        BackwardPixel(
                            input.Slice(at, _channels), gradient.Slice(target + x * pixel, pixel), result.Slice(at, _channels), (uint)at,
                            key);
                    }
                }
            }
        }

        private void ForwardPixel(ReadOnlySpan<float> x, Span<float> y, uint position, uint key)
        {
            int c = 0;
            for (; c <= _channels - VectorMath.Count; c += VectorMath.Count)
            {
                (Vector512<float> positive, Vector512<float> negative) = Activate(Vector512.Create(x[c..]), position + (uint)c, key);
                positive.CopyTo(y[c..]);
                negative.CopyTo(y[(_channels + c)..]);
            }

            if (c < _channels)
            {
                (Vector512<float> positive, Vector512<float> negative) = Activate(VectorMath.Load(x[c..]), position + (uint)c, key);
                VectorMath.Store(positive, y[c.._channels]);
                VectorMath.Store(negative, y[(_channels + c)..]);
            }
        }

        private void BackwardPixel(ReadOnlySpan<float> x, ReadOnlySpan<float> gradient, Span<float> result, uint position, uint key)
        {
            int c = 0;
            for (; c <= _channels - VectorMath.Count; c += VectorMath.Count)
                Gradient(
                    Vector512.Create(x[c..]), Vector512.Create(gradient[c..]), Vector512.Create(gradient[(_channels + c)..]), position
                        + (uint)c, key).CopyTo(result[c..]);
            if (c < _channels)
                VectorMath.Store(
                    Gradient(
                        VectorMath.Load(x[c..]), VectorMath.Load(gradient[c.._channels]), VectorMath.Load(gradient[(_channels + c)..]),
                        position + (uint)c, key), result[c..]);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private (Vector512<float> Positive, Vector512<float> Negative) Activate(Vector512<float> x, uint position, uint key)
        {
            (Vector512<float> positive, Vector512<float> negative) = VectorMath.ConcatElu(x);
            return dropout > 0 ? (positive * Mask(position, 0, key), negative * Mask(position, 1, key)) : (positive, negative);
        }

        private Vector512<float> Gradient(Vector512<float> x, Vector512<float> positive, Vector512<float> negative, uint position, uint key)
        {
            if (dropout > 0)
            {
                positive *= Mask(position, 0, key);
                negative *= Mask(position, 1, key);
            }

            Vector512<float> slope = VectorMath.Exp(-Vector512.Abs(x));
            var isPositive = Vector512.GreaterThan(x, Vector512<float>.Zero);
            return Vector512.ConditionalSelect(isPositive, positive - negative * slope, positive * slope - negative);
        }

        /// <summary>0 or 1 / (1 - rate) for each of 16 activations: a hash of the key and the position decides.</summary>
        private Vector512<float> Mask(uint position, uint half, uint key)
        {
            Vector512<uint> bits = VectorMath.Hash(Vector512.Create(2 * position + half) + VectorMath.Even, key);
            return Vector512.ConditionalSelect(
                Vector512.GreaterThanOrEqual(bits, Vector512.Create(_threshold)).AsSingle(), Vector512.Create(_keptScale),
                Vector512<float>.Zero);
        }
    }
}

/// <summary>x + a sigmoid(b) in one pass over memory, forward and backward; composed where there are no kernels.</summary>
internal sealed class FusedGate : autograd.SingleTensorFunction<FusedGate>
{
    public override string Name => nameof(FusedGate);

    /// <summary>x [N, H, W, C] and (a, b) [N, H, W, 2 C] to [N, H, W, C].</summary>
    public static Tensor Apply(Tensor x, Tensor gated) => FusedConcatElu.Takes(x)
        ? apply(x, gated)
        : x.Plus(torch.nn.functional.glu(gated, -1));

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor x = ((Tensor)vars[0]).contiguous(), gated = ((Tensor)vars[1]).contiguous();
        ctx.save_for_backward([gated]);
        Tensor output = empty(x.shape, x.dtype, x.device);
        if (x.IsOnCpu())
            Forward(FusedConcatElu.Floats(x), FusedConcatElu.Floats(gated), FusedConcatElu.Floats(output), (int)x.shape[3]);
        else
            GpuKernels.Of(x).ForEach("gate", x.dtype, x.numel(), [x, gated, output], (uint)x.shape[3]);
        return output;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        BackwardScope.Begin(grad_output);
        using Tensor gated = ctx.get_saved_variables()[0];
        Tensor gradient = grad_output.contiguous();
        Tensor result = empty(gated.shape, gated.dtype, gated.device);
        if (gated.IsOnCpu())
            Backward(FusedConcatElu.Floats(gated), FusedConcatElu.Floats(gradient), FusedConcatElu.Floats(result), (int)gradient.shape[3]);
        else
            GpuKernels.Of(gated).ForEach(
                "gate_backward", gated.dtype, gradient.numel(), [gated, gradient, result], (uint)gradient.shape[3]);
        return [gradient, result];
    }

    private static void Forward(ReadOnlySpan<float> x, ReadOnlySpan<float> gated, Span<float> output, int channels)
    {
        for (int at = 0; at < x.Length; at += channels)
        {
            ReadOnlySpan<float> a = gated.Slice(2 * at, channels), b = gated.Slice(2 * at + channels, channels);
            int c = 0;
            for (; c <= channels - VectorMath.Count; c += VectorMath.Count)
                (Vector512.Create(x[(at + c)..])
                    + Vector512.Create(a[c..]) * VectorMath.Sigmoid(Vector512.Create(b[c..]))).CopyTo(output[(at + c)..]);
            if (c < channels)
                VectorMath.Store(
                    VectorMath.Load(x[(at + c)..(at + channels)])
                        + VectorMath.Load(a[c..]) * VectorMath.Sigmoid(VectorMath.Load(b[c..])), output[(at + c)..(at + channels)]);
        }
    }

    private static void Backward(ReadOnlySpan<float> gated, ReadOnlySpan<float> gradient, Span<float> result, int channels)
    {
        for (int at = 0; at < gradient.Length; at += channels)
        {
            ReadOnlySpan<float> a = gated.Slice(2 * at, channels), b = gated.Slice(2 * at + channels, channels),
                g = gradient.Slice(at, channels);
            Span<float> toA = result.Slice(2 * at, channels), toB = result.Slice(2 * at + channels, channels);
            int c = 0;
            for (; c <= channels - VectorMath.Count; c += VectorMath.Count)
            {
                Vector512<float> slope = Vector512.Create(g[c..]), gate = VectorMath.Sigmoid(Vector512.Create(b[c..]));
                (slope * gate).CopyTo(toA[c..]);
                (slope * Vector512.Create(a[c..]) * gate * (Vector512<float>.One - gate)).CopyTo(toB[c..]);
            }

            if (c < channels)
            {
                Vector512<float> slope = VectorMath.Load(g[c..]), gate = VectorMath.Sigmoid(VectorMath.Load(b[c..]));
                VectorMath.Store(slope * gate, toA[c..]);
                VectorMath.Store(slope * VectorMath.Load(a[c..]) * gate * (Vector512<float>.One - gate), toB[c..]);
            }
        }
    }
}
