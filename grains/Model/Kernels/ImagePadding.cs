using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace PixelCnnCluster.Model.Kernels;

/// <summary>Zero rows and columns around an image, in pixels.</summary>
public readonly record struct ImagePadding(int Top, int Left, int Right)
{
    public static ImagePadding None => default;

    public Tensor Apply(Tensor input) => this == None ? input : F.pad(input, [0, 0, Left, Right, Top, 0]);
}
