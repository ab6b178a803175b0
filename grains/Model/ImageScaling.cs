using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>Between the bytes of an image and the network's [-1, 1].</summary>
public static class ImageScaling
{
    public static Tensor FromBytes(Tensor pixels) => pixels.to_type(ScalarType.Float32).Plus(-127.5).Over(127.5);

    public static Tensor ToBytes(Tensor images) => images.Times(127.5).Plus(127.5).round().Clamped(0, 255).to_type(ScalarType.Byte);
}
