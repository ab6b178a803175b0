using System.IO.Compression;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.State;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Model;
using PixelCnnCluster.Unit.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>Checkpoints, files of weights and what they give.</summary>
internal static class Stored
{
    public static RunSpec Spec { get; } = TinyRun.Small with
    {
        Data = TinyRun.Small.Data with { DataSet = DataSet.Mnist },
        Model = TinyRun.Small.Model with { Dropout = 0 },
    };

    public static string Vector(string name) => Path.Combine(AppContext.BaseDirectory, "vectors", name);

    /// <summary>Writes a checkpoint whose average is a random network and whose parameters are zero.</summary>
    public static string Checkpoint(
        string folder, RunSpec spec, int channels = 1, int size = 28, Action<Parameters, ParameterLayout>? change = null)
    {
        using DisposeScope scope = NewDisposeScope();
        var shape = NetworkShape.From(spec, channels, size, classes: 10);
        using var network = new TinyNetwork(shape);
        change?.Invoke(network.Parameters, network.Network.Layout);
        using var state = new TrainingState(network.Network.Layout, spec);
        state.Average.copy_(network.Parameters.Values);
        state.StartAt(7, 0, 7 * spec.Optimiser.ImagesPerStep);
        Directory.CreateDirectory(folder);
        return CheckpointFolder.Save(
            PixelCnnCluster.Training.Checkpoints.Checkpoint.Of(state, shape, "run", spec, new()), folder, keep: 3).Path;
    }

    public static ExportedWeights Export(string checkpoint, string output) => WeightFiles.Export(ModelFiles.Read(checkpoint), output);

    /// <summary>What the checkpoint's average gives for images; the labels are 0, 1, ...</summary>
    public static float[] Outputs(string checkpoint, Tensor images)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable none = no_grad();
        ModelInfo model = ModelFiles.Read(checkpoint);
        var shape = NetworkShape.From(model.Spec, model.Channels, model.Size, model.Classes);
        var network = new PixelCnn(shape);
        using var state = new TrainingState(network.Layout, model.Spec);
        using var read = PixelCnnCluster.Training.Checkpoints.Checkpoint.Read(checkpoint);
        read.Fill(state, checkpoint);
        Tensor? labels = shape.Classes == 0 ? null : arange(images.shape[0], ScalarType.Int64);
        return network.Forward(new ForwardContext(state.AverageParameters) { Labels = labels, Seed = 3 }, images).Floats();
    }

    public static Tensor Images(int channels, int size) => TinyNetwork.RandomImages(7, 2, channels, size, size);

    public static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max(), 0, tolerance);
    }

    public static IReadOnlyDictionary<string, SafeTensor> Tensors(string path)
    {
        if (!path.EndsWith(".pth", StringComparison.Ordinal))
            return Parse(File.ReadAllBytes(path)).Tensors;
        using FileStream file = File.OpenRead(path);
        return TorchArchive.Read(file);
    }

    /// <inheritdoc cref="SafeTensors.Parse"/>
    public static (IReadOnlyDictionary<string, SafeTensor> Tensors, IReadOnlyDictionary<string, string> Metadata) Parse(byte[] file)
    {
        (IReadOnlyDictionary<string, SafeTensor> tensors, SafeTensorsHeader header) = SafeTensors.Parse(
            file.Length, (offset, length) => file[(int)offset..((int)offset + length)]);
        return (tensors, header.Metadata);
    }

    public static string Write(string path, IReadOnlyDictionary<string, SafeTensor> tensors)
    {
        (string, SafeTensor)[] listed = [.. tensors.Select(pair => (pair.Key, pair.Value))];
        using FileStream file = File.Create(path);
        if (path.EndsWith(".pth", StringComparison.Ordinal))
            TorchArchive.Write(file, listed);
        else
            SafeTensors.Write(file, listed, new Dictionary<string, string>());
        return path;
    }

    /// <summary>Same names, shapes and bits.</summary>
    public static void AssertSame(IReadOnlyDictionary<string, SafeTensor> expected, IReadOnlyDictionary<string, SafeTensor> actual)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, SafeTensor tensor) in expected)
        {
            Assert.True(tensor.Shape.SequenceEqual(actual[name].Shape), name);
            Assert.True(tensor.Data.Span.SequenceEqual(actual[name].Data.Span), name);
        }
    }

    /// <summary>The elements of a NumPy array in a .npz, whatever its shape.</summary>
    public static T[] Npz<T>(string path, string member) where T : struct
    {
        using ZipArchive zip = ZipFile.OpenRead(path);
        using Stream entry = zip.GetEntry(member + ".npy")!.Open();
        using var content = new MemoryStream();
        entry.CopyTo(content);
        byte[] bytes = content.ToArray();
        return MemoryMarshal.Cast<byte, T>(bytes.AsSpan(10 + BitConverter.ToUInt16(bytes, 8))).ToArray();
    }

    /// <summary>One sentence that holds all of the parts.</summary>
    public static void AssertRefused(Action act, params string[] parts)
    {
        string message = Assert.Throws<UserErrorException>(act).Message;
        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.EndsWith(".", message, StringComparison.Ordinal);
        Assert.DoesNotContain(". ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", message, StringComparison.Ordinal);
    }
}
