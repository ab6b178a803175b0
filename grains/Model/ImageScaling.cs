using static TorchSharp.torch;

namespace PixelCnnCluster.Model;

/// <summary>Between the bytes of an image and the network's [-1, 1].</summary>
public static class ImageScaling
{
    public static Tensor FromBytes(Tensor pixels) => (pixels.to_type(ScalarType.Float32) - 127.5) / 127.5;

    public static Tensor ToBytes(Tensor images) => (images * 127.5 + 127.5).round().clamp(0, 255).to_type(ScalarType.Byte);
}
