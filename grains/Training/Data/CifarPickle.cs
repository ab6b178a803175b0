using System.Text;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Pickles;

namespace PixelCnnCluster.Training.Data;

/// <summary>A batch of CIFAR-10's Python version: a pickled dictionary of plain values and one NumPy array, `data` [N, 3072].</summary>
internal static class CifarPickle
{
    /// <summary>Several times what the labels and the file names of a batch cost.</summary>
    private const int Most = 200_000;

    public static void Read(DataFile file, ImageSetBuilder builder)
    {
        PickledDictionary batch = DataFile.Parse(file.Name, () => Load(file)) ?? throw file.Fault("holds no dictionary");
        if (batch["data"] is not NumpyArray { State: [_, object?[] shape, NumpyType { Name: "u1" }, false, var content] }
            || shape is not [long count, (long)CifarBatches.ImageBytes])
            throw file.Fault($"has no array `data` of [N, {CifarBatches.ImageBytes}] bytes");
        ReadOnlyMemory<byte> bytes = content as ReadOnlyMemory<byte>? ?? default;
        string text = content as string ?? "";
        if (count is < 0 or > CifarBatches.MostImages || Math.Max(bytes.Length, text.Length) != count * CifarBatches.ImageBytes)
            throw file.Fault(
                $"has an array `data` of {Math.Max(bytes.Length, text.Length)} bytes instead of {count} times {CifarBatches.ImageBytes}");
        if (batch["labels"] is not List<object?> labels || labels.Count != count)
            throw file.Fault($"has no list `labels` of the length of `data`, {count}");

        for (int i = 0; i < count; i++)
        {
            if (labels[i] is not (long and >= 0 and < CifarBatches.Classes))
                throw file.Fault($"has label {labels[i] ?? "None"} in record {i}, beyond the classes 0 to {CifarBatches.Classes - 1}");
            Span<byte> image = builder.Add((int)(long)labels[i]!);
            Range record = (i * CifarBatches.ImageBytes)..((i + 1) * CifarBatches.ImageBytes);
            if (bytes.IsEmpty)
                Encoding.Latin1.GetBytes(text.AsSpan()[record], image);
            else
                bytes.Span[record].CopyTo(image);
        }
    }

    /// <returns>Null if it is no dictionary.</returns>
    private static PickledDictionary? Load(DataFile file)
    {
        using MemoryStream content = file.ReadAll(CifarBatches.MostBytes);
        return PickleReader.Read(content.GetBuffer().AsMemory(0, (int)content.Length), new Names(file), Most) as PickledDictionary;
    }

    /// <summary>The few names that rebuild an array.</summary>
    private sealed class Names(DataFile file) : IPickleNames
    {
        public object Find(string module, string name) => (module, name) switch
        {
            ("numpy.core.multiarray" or "numpy._core.multiarray", "_reconstruct") => new PickledCall(_ => new NumpyArray()),
            // It is named to rebuild an array, and never called.
            ("numpy", "ndarray") => new PickledCall(_ => throw Foreign(module, name)),
            ("numpy", "dtype") => new PickledCall(
                arguments => arguments is [string type, ..] ? new NumpyType(type) : throw PickleReader.Garbled()),
            // How Python 3 writes bytes for Python 2.
            ("_codecs", "encode") => new PickledCall(
                arguments => arguments is [string text, "latin1"] ? text : throw PickleReader.Garbled()),
            _ => throw Foreign(module, name),
        };

        private UserErrorException Foreign(string module, string name) =>
            file.Fault($"refers to {module}.{name}, for which a CIFAR-10 batch has no use");
    }

    private abstract class Rebuilt : IPickledObject
    {
        public object?[] State { get; private set; } = [];

        public void Build(object? state) => State = state as object?[] ?? throw PickleReader.Garbled();
    }

    /// <summary>Its state is version, shape, type, whether in Fortran's order, and the bytes.</summary>
    private sealed class NumpyArray : Rebuilt;

    private sealed class NumpyType(string name) : Rebuilt
    {
        public string Name => name;
    }
}
