using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// A model's weights as other programs have them: safetensors with plain weights, which hold every network, and the state_dict of the
/// common PyTorch port of PixelCNN++ (`.pth`). The names are in <see cref="LayerNames"/>.
/// </summary>
public static class WeightFiles
{
    internal const string SafeTensorsEnd = ".safetensors", TorchEnd = ".pth";

    /// <summary>
    /// Writes the Polyak average of a checkpoint; the output's ending, `.safetensors` or `.pth`, says which kind of file it becomes. The
    /// file is whole or absent.
    /// </summary>
    /// <exception cref="UserErrorException">The checkpoint cannot be used, the ending is another, the port has no such network, or the file
    /// cannot be written.</exception>
    public static ExportedWeights Export(ModelInfo model, string outputPath) => WeightExport.Write(model, outputPath);

    /// <summary>
    /// Makes a checkpoint at step 0 whose parameters and average are the weights in a file of either kind. What the tensors do not tell is
    /// taken from the metadata that <see cref="Export"/> wrote, or else supposed: concatenated ELU or ELU, MNIST or CIFAR-10.
    /// </summary>
    /// <param name="saveDir">Folder of the run to be; it must hold no checkpoint.</param>
    /// <param name="imageSize">Side of the images in pixels where the file does not say it; null for 28 (grey) or 32 (colour).</param>
    /// <returns>The checkpoint's path.</returns>
    /// <exception cref="UserErrorException">The file is damaged, refers to what weights have no use for, or is not exactly one network; or
    /// the folder is taken.</exception>
    public static string Import(string weightsPath, string saveDir, int? imageSize) => WeightImport.Read(weightsPath, saveDir, imageSize);
}
