using System.Collections;
using System.Text;
using System.Text.RegularExpressions;
using PixelCnnCluster.Contracts;
using Razorvine.Pickle;
using Razorvine.Pickle.Objects;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// A batch of CIFAR-10's Python version: a pickled dictionary of plain values and one NumPy array, `data` [N, 3072].
/// A pickle may name any Python function to call. Here nothing is ever called: the few names that rebuild an array stand for
/// the inert objects below, and a batch that has use for any other name is refused.
/// </summary>
internal static partial class CifarPickle
{
    static CifarPickle()
    {
        foreach (string module in new[] { "numpy.core.multiarray", "numpy._core.multiarray" })
            Unpickler.registerConstructor(module, "_reconstruct", new Constructor(_ => new NumpyArray()));
        Unpickler.registerConstructor(
            "numpy", "ndarray", new Constructor(_ => throw new PickleException("an array is rebuilt in one way only (for numpy.ndarray)")));
        Unpickler.registerConstructor("numpy", "dtype", new Constructor(arguments => new NumpyType((string)arguments[0])));
    }

    public static void Read(DataFile file, ImageSetBuilder builder)
    {
        Hashtable batch = DataFile.Parse(file.Name, () => Load(file));
        foreach (DictionaryEntry entry in batch)
        {
            if ((FindForeign(entry.Key) ?? FindForeign(entry.Value)) is { } foreign)
                throw Foreign(file, foreign);
        }
        if (batch["data"] is not NumpyArray { State: [_, object[] shape, NumpyType { Name: "u1" }, false, var content] }
            || shape is not [int count, CifarBatches.ImageBytes])
            throw file.Fault($"has no array `data` of [N, {CifarBatches.ImageBytes}] bytes");
        // Python 2's byte strings come as text of which each character is a byte.
        byte[]? bytes = content as byte[];
        string text = content as string ?? "";
        if (count is < 0 or > CifarBatches.MostImages || (bytes?.Length ?? text.Length) != (long)count * CifarBatches.ImageBytes)
            throw file.Fault(
                $"has an array `data` of {bytes?.Length ?? text.Length} bytes instead of {count} times {CifarBatches.ImageBytes}");
        if (batch["labels"] is not ArrayList labels || labels.Count != count)
            throw file.Fault($"has no list `labels` of the length of `data`, {count}");

        for (int i = 0; i < count; i++)
        {
            if (labels[i] is not (int and >= 0 and < CifarBatches.Classes))
                throw file.Fault($"has label {labels[i] ?? "None"} in record {i}, beyond the classes 0 to {CifarBatches.Classes - 1}");
            Span<byte> image = builder.Add((int)labels[i]!);
            if (bytes is not null)
                bytes.AsSpan(i * CifarBatches.ImageBytes, CifarBatches.ImageBytes).CopyTo(image);
            else
                Encoding.Latin1.GetBytes(text.AsSpan(i * CifarBatches.ImageBytes, CifarBatches.ImageBytes), image);
        }
    }

    private static Hashtable Load(DataFile file)
    {
        using MemoryStream content = file.ReadAll(CifarBatches.MostBytes);
        using var unpickler = new Unpickler();
        object? batch;
        try
        {
            batch = unpickler.load(content);
        }
        catch (PickleException e) when (UnknownName().Match(e.Message) is { Success: true } unknown)
        {
            throw Foreign(file, unknown.Groups["name"].Value);
        }
        if (content.Position < content.Length)
            throw file.Fault("holds more bytes than its batch needs");
        return batch as Hashtable ?? throw file.Fault("holds no dictionary");
    }

    /// <summary>The first thing in a value of the dictionary that is neither plain nor an array.</summary>
    private static string? FindForeign(object? value) => value switch
    {
        null or string or byte[] or int or long or double or bool or NumpyArray => null,
        ArrayList list => list.Cast<object?>().Select(item => item is ArrayList ? "a list of lists" : FindForeign(item))
            .FirstOrDefault(found => found is not null),
        ClassDict dictionary => dictionary.ClassName,
        _ => $"a {value.GetType().Name}",
    };

    private static UserErrorException Foreign(DataFile file, string name) =>
        file.Fault($"refers to {name}, for which a CIFAR-10 batch has no use");

    /// <summary>How the unpickler says that a batch calls what nothing stands for.</summary>
    [GeneratedRegex(@"\(for (?<name>[^)]*)\)")]
    private static partial Regex UnknownName();

    private sealed class Constructor(Func<object[], object> construct) : IObjectConstructor
    {
        object IObjectConstructor.construct(object[] args) => construct(args);
    }

    private class Rebuilt
    {
        public object[] State { get; private set; } = [];

#pragma warning disable CA1707, IDE1006 // The unpickler looks for this name.
        public void __setstate__(object[] state) => State = state;
#pragma warning restore CA1707, IDE1006
    }

    /// <summary>Its state is version, shape, type, whether in Fortran's order, and the bytes.</summary>
    private sealed class NumpyArray : Rebuilt;

    private sealed class NumpyType(string name) : Rebuilt
    {
        public string Name => name;
    }
}
