using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Tensors;

/// <summary>Between the bytes of an image and the network's [-1, 1].</summary>
public static class ImageScaling
{
    public static Tensor FromBytes(Tensor pixels) => pixels.to_type(ScalarType.Float32).Plus(-127.5).Over(127.5);

    public static float FromByte(byte value) => (value - 127.5f) / 127.5f;

    public static byte ToByte(float value) => (byte)Math.Clamp(MathF.Round((value * 127.5f) + 127.5f), 0, 255);
}
