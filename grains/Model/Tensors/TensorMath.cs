using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Tensors;

/// <summary>
/// Arithmetic with numbers that outlive the operation. TorchSharp turns a number into a native scalar whose finaliser may free it
/// while the operation still reads it, also the hidden 1 of an addition; here every scalar stays for good. The raw forms are
/// banned (BannedSymbols.txt).
/// </summary>
public static class TensorMath
{
    private static readonly ConcurrentDictionary<double, Scalar> Scalars = new();
    private static readonly Scalar One = Of(1);

    public static bool IsOnCpu(this Tensor tensor) => tensor.device_type == DeviceType.CPU;

    /// <summary>The scalar of a constant. Not for numbers that change from step to step, since none is ever freed.</summary>
    private static Scalar Of(double constant) => Scalars.GetOrAdd(constant, value => value.ToScalar());

    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, One);

    public static Tensor Plus(this Tensor a, double constant) => a.add(Of(constant), One);

    public static Tensor Times(this Tensor a, double constant) => a.mul(Of(constant));

    public static Tensor Over(this Tensor a, double constant) => a.div(Of(constant));

    public static Tensor Power(this Tensor a, double constant) => a.pow(Of(constant));

    public static Tensor Squared(this Tensor a) => a.mul(a);

    public static Tensor IsBelow(this Tensor a, double constant) => a.lt(Of(constant));

    public static Tensor IsAbove(this Tensor a, double constant) => a.gt(Of(constant));

    public static Tensor Clamped(this Tensor a, double least, double greatest) => a.clamp(Of(least), Of(greatest));

    public static Tensor FilledWith(this Tensor a, Tensor mask, double constant) => a.masked_fill(mask, Of(constant));

    /// <summary>Exponential linear unit.</summary>
    public static Tensor Elu(this Tensor a) => a.elu(One, One, One);

    /// <summary>a += b, in place.</summary>
    public static Tensor AddInPlace(this Tensor a, Tensor b) => a.add_(b, One);

    /// <summary>a += constant b, in place.</summary>
    public static Tensor AddInPlace(this Tensor a, Tensor b, double constant) => a.add_(b, Of(constant));

    /// <summary>a *= constant, in place.</summary>
    public static Tensor TimesInPlace(this Tensor a, double constant) => a.mul_(Of(constant));

    /// <summary>a += constant b c, in place.</summary>
    public static Tensor AddProductInPlace(this Tensor a, Tensor b, Tensor c, double constant) => a.addcmul_(b, c, Of(constant));

    /// <summary>The same numbers as another type; the tensor itself where it is of that type.</summary>
    public static Tensor As(this Tensor a, ScalarType type) => a.dtype == type ? a : a.to_type(type);

    /// <summary>A tensor of no dimension with a number that may change from step to step.</summary>
    public static Tensor Number(float value, Device device)
    {
        using var scalar = value.ToScalar();
        return full([], scalar, device: device);
    }

    /// <inheritdoc cref="Number(float, Device)"/>
    /// <returns>int32 [1]</returns>
    public static Tensor Number(int value, Device device)
    {
        using var scalar = value.ToScalar();
        return full([1], scalar, dtype: ScalarType.Int32, device: device);
    }

    /// <summary>0, 1, ... <paramref name="count"/> - 1; float32 [count].</summary>
    public static Tensor Positions(int count, Device device) => arange(Of(0), Of(count), One, ScalarType.Float32, device);

    /// <summary>The one number in a tensor of one element.</summary>
    public static T Value<T>(this Tensor a)
        where T : unmanaged
    {
        using Tensor host = a.cpu();
        return MemoryMarshal.Read<T>(host.bytes);
    }
}
