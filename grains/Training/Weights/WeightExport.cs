using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Weights;

/// <summary>See <see cref="WeightFiles.Export"/>.</summary>
internal static class WeightExport
{
    /// <remarks>The model may come from a message, whose sender need not have read it from a file.</remarks>
    public static ExportedWeights Write(ModelInfo model, string outputPath)
    {
        bool torch = Path.GetExtension(outputPath) switch
        {
            WeightFiles.SafeTensorsEnd => false,
            WeightFiles.TorchEnd => true,
            _ => throw new UserErrorException(
                $"{outputPath} ends neither in {WeightFiles.SafeTensorsEnd} nor in {WeightFiles.TorchEnd}; give the output a name that " +
                $"says which of the two it is."),
        };
        if (Path.GetFullPath(outputPath) == Path.GetFullPath(model.Path))
            throw new UserErrorException($"{outputPath} is the checkpoint itself; give the output another name.");
        model.Check();
        var shape = NetworkShape.From(model.Spec, model.Channels, model.Size, model.Classes);
        if (torch && NotInPort(shape) is [_, ..] foreign)
        {
            throw new UserErrorException(
                $"{outputPath} cannot hold this network, because the PyTorch port has no {string.Join(" and no ", foreign)}; give the " +
                $"output a name that ends in {WeightFiles.SafeTensorsEnd}.");
        }

        ParameterLayout layout = new PixelCnn(shape).Layout;
        IReadOnlyList<Layer> layers = Layer.Of(layout);
        float[] parameters = AverageOf(model, layout);
        if (TensorCheck.NotFinite(layers, parameters) is [_, ..] lost)
            throw new UserErrorException(
                $"{model.Path} has weights that are not finite in {WeightFileException.List(lost)}; name an earlier checkpoint.");
        List<(string Name, SafeTensor Tensor)> tensors = Tensors(layers, torch ? new PortFormat() : new PlainFormat(), parameters);
        try
        {
            return new(outputPath, model.Step, tensors.Count, WholeFile.Write(outputPath, file =>
            {
                if (torch)
                    TorchArchive.Write(file, tensors);
                else
                    SafeTensors.Write(file, tensors, WeightMetadata.Of(model));
            }));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{outputPath} cannot be written ({fault.Message.TrimEnd('.')}); give the output another place.", fault);
        }
    }

    private static List<(string Name, SafeTensor Tensor)> Tensors(IReadOnlyList<Layer> layers, WeightFormat format, float[] parameters)
    {
        List<(string, SafeTensor)> tensors = [];
        foreach (Layer layer in layers)
        {
            foreach (((string name, long[] shape), float[] values) in format.Tensors(layer).Zip(format.Write(layer, parameters)))
                tensors.Add((name, SafeTensor.Of(values, shape)));
        }

        return tensors;
    }

    private static float[] AverageOf(ModelInfo model, ParameterLayout layout)
    {
        using Tensor vector = Checkpoint.ReadAverage(model, layout);
        float[] average = new float[layout.Length];
        HostBytes.Read(vector, bytes => bytes.CopyTo(MemoryMarshal.AsBytes(average.AsSpan())));
        return average;
    }

    private static string[] NotInPort(NetworkShape shape) =>
    [
        .. shape.Classes > 0 ? ["class conditioning"] : Array.Empty<string>(),
        .. shape.CoordinateChannels ? ["coordinate channels"] : Array.Empty<string>(),
        .. shape.NonLocal ? ["non-local block"] : Array.Empty<string>(),
        .. shape.EnergyDistance ? ["energy distance"] : Array.Empty<string>(),
        .. shape.Nonlinearity != Nonlinearity.ConcatElu ? ["other nonlinearity than concat_elu"] : Array.Empty<string>(),
    ];
}
