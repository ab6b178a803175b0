using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Training.Weights;

/// <summary>See <see cref="WeightFiles.Import"/>.</summary>
internal static class WeightImport
{
    private const int GreySize = 28, ColourSize = 32;

    public static string Read(string weightsPath, string saveDir, int? imageSize)
    {
        if (CheckpointHeader.NewestFirst(saveDir) is [var taken, ..])
            throw new UserErrorException(
                $"{saveDir} holds a checkpoint already ({Path.GetFileName(taken)}); give a folder without any with --save-dir.");
        try
        {
            using OpenedWeights weights = Open(weightsPath);
            (NetworkShape shape, RunSpec spec) = Describe(weights.Format, weights.Tensors, weights.Metadata, imageSize);
            spec = spec with { Output = spec.Output with { SaveDir = saveDir, LoadParams = null } };
            if (spec.Validate() is [var mistake, ..])
                throw new WeightFileException($"holds a network that cannot be trained here, for {mistake.TrimEnd('.')}");
            Checkpoint checkpoint = Begin(
                new PixelCnn(shape), spec, weights.Format, weights.Tensors, run: Path.GetFileNameWithoutExtension(weightsPath));
            return Save(checkpoint, spec);
        }
        catch (WeightFileException fault)
        {
            // Without the fault, whose type the wire does not know.
            throw new UserErrorException($"{weightsPath} {fault.Message}.");
        }
    }

    private static string Save(Checkpoint checkpoint, RunSpec spec)
    {
        try
        {
            Directory.CreateDirectory(spec.Output.SaveDir);
            return CheckpointFolder.Save(checkpoint, spec.Output.SaveDir, spec.Output.KeepCheckpoints).Path;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{spec.Output.SaveDir} cannot be written to ({fault.Message.TrimEnd('.')}); give another --save-dir.", fault);
        }
    }

    private static OpenedWeights Open(string path)
    {
        FileStream? file = null;
        try
        {
            file = File.OpenRead(path);
            byte[] start = new byte[4];
            int length = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            file.Position = 0;
            if (TorchArchive.IsOne(start.AsSpan(0, length)))
                return new(new PortFormat(), TorchArchive.Read(file), new Dictionary<string, string>(), file);
            if (Path.GetExtension(path) != WeightFiles.SafeTensorsEnd)
                throw new WeightFileException(
                    "is no zip archive as PyTorch writes since 1.6; load it in PyTorch and save it again with torch.save of that version " +
                    "or a newer one");
            (IReadOnlyDictionary<string, SafeTensor> tensors, SafeTensorsHeader header) = SafeTensors.Open(file.SafeFileHandle);
            return new(new PlainFormat(), tensors, header.Metadata, file);
        }
        catch (WeightFileException)
        {
            file?.Dispose();
            throw;
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or UnauthorizedAccessException or NotSupportedException)
        {
            file?.Dispose();
            throw new WeightFileException(
                $"cannot be read ({fault.Message.Split(". ")[0].TrimEnd('.')}); give a whole file of weights, " +
                $"{WeightFiles.SafeTensorsEnd} or {WeightFiles.TorchEnd}");
        }
    }

    private static (NetworkShape Shape, RunSpec Spec) Describe(
        WeightFormat format, IReadOnlyDictionary<string, SafeTensor> tensors, IReadOnlyDictionary<string, string> metadata, int? imageSize)
    {
        if (WeightMetadata.Read(metadata) is { } told)
        {
            return imageSize is null || imageSize == told.Shape.Size
                ? told
                : throw new WeightFileException($"says that its images are {told.Shape.Size} pixels wide; leave out --image-size");
        }

        NetworkShape shape = ShapeInference.Infer(format.WeightShapes(tensors))
            ?? throw new WeightFileException(
                $"holds no PixelCNN++ ({WeightFileException.List([.. tensors.Keys])}); give a file whose tensors are named as export " +
                $"names them");
        shape = shape with { Size = imageSize ?? (shape.Channels == 1 ? GreySize : ColourSize) };
        if (shape is { Channels: 1, Size: not GreySize })
            throw new WeightFileException(
                $"holds a network for grey images, and the data sets of grey images are {GreySize} pixels wide; leave out --image-size");
        return (shape, Supposed(shape));
    }

    /// <summary>Settings of a run that can go on with a network of which nothing else is known.</summary>
    private static RunSpec Supposed(NetworkShape shape) => new()
    {
        Data = new()
        {
            DataSet = shape switch
            {
                { Channels: 1 } => DataSet.Mnist,
                { Size: ColourSize, Classes: 0 or 10 } => DataSet.Cifar,
                _ => DataSet.Folder,
            },
            ImageSize = shape.Channels == 1 ? new RunSpec().Data.ImageSize : shape.Size
        },
        Model = new()
        {
            Blocks = shape.Blocks,
            Filters = shape.Filters,
            Mixtures = shape.Mixtures,
            Nonlinearity = shape.Nonlinearity,
            ClassConditional = shape.Classes > 0,
            CoordinateChannels = shape.CoordinateChannels,
            NonLocal = shape.NonLocal,
            Objective = shape.EnergyDistance ? Objective.EnergyDistance : Objective.Likelihood
        },
    };

    /// <summary>The run's beginning, with the weights as parameters and as their average.</summary>
    private static Checkpoint Begin(
        PixelCnn network, RunSpec spec, WeightFormat format, IReadOnlyDictionary<string, SafeTensor> tensors, string run)
    {
        IReadOnlyList<Layer> layers = Layer.Of(network.Layout);
        TensorCheck.Fit(layers.SelectMany(format.Tensors), tensors);
        using var state = new TrainingState(network.Layout, spec);
        // A zero filter has no direction of its own; it keeps that of a fresh network.
        network.SampleParameters(state.AverageParameters, Seeds.Derive(spec.Optimiser.Seed, SeedUse.Parameters) >> 1);
        float[] parameters = new float[network.Layout.Length];
        HostBytes.Read(state.Average, bytes => bytes.CopyTo(MemoryMarshal.AsBytes(parameters.AsSpan())));
        foreach (Layer layer in layers)
            format.Read(layer, [.. format.Tensors(layer).Select(tensor => tensors[tensor.Name].Floats())], parameters);
        if (TensorCheck.NotFinite(layers, parameters) is [_, ..] lost)
            throw new WeightFileException(
                $"has weights that are not finite in {WeightFileException.List(lost)}; take weights from before they were lost");
        HostBytes.Write(state.Average, parameters);
        HostBytes.Write(state.Values, parameters);
        return Checkpoint.Of(state, network.Shape, run, spec, new());
    }

    /// <param name="File">Tensors are read from it when they are used.</param>
    private sealed record OpenedWeights(
        WeightFormat Format, IReadOnlyDictionary<string, SafeTensor> Tensors, IReadOnlyDictionary<string, string> Metadata,
        FileStream File) : IDisposable
    {
        public void Dispose() => File.Dispose();
    }
}
