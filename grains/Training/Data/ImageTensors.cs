using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Data;

internal static class ImageTensors
{
    /// <summary>Images at some positions of a set, [N, C, H, W] in [-1, 1]; they go to the device as bytes.</summary>
    public static Tensor ToTensor(this ImageSet set, int[] positions, Device device)
    {
        int imageBytes = set.Channels * set.Size * set.Size;
        byte[] pixels = new byte[positions.Length * imageBytes];
        for (int i = 0; i < positions.Length; i++)
            set.Image(positions[i]).CopyTo(pixels.AsSpan(i * imageBytes));
        return ImageScaling.FromBytes(
            tensor(pixels, [positions.Length, set.Channels, set.Size, set.Size], ScalarType.Byte).MovedTo(device));
    }
}
