using PixelCnnCluster.Training.Pickles;

namespace PixelCnnCluster.Training.Weights;

/// <summary>A run of numbers in the archive.</summary>
/// <param name="Type">In safetensors' spelling.</param>
/// <param name="Key">Name of the archive's member.</param>
internal sealed record PickledStorage(string Type, string Key);

/// <summary>A view of a storage, its offset and strides in elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>What PyTorch pickles: dictionaries of tensors, and what else a program saved with them.</summary>
internal sealed class TorchPickle : IPickleNames
{
    /// <summary>Twice what ten thousand tensors with an optimiser's state cost.</summary>
    private const int Most = 5_000_000;

    private static readonly Dictionary<string, string> StorageTypes = new()
    {
        ["DoubleStorage"] = "F64",
        ["FloatStorage"] = "F32",
        ["HalfStorage"] = "F16",
        ["BFloat16Storage"] = "BF16",
        ["LongStorage"] = "I64",
        ["IntStorage"] = "I32",
        ["ShortStorage"] = "I16",
        ["CharStorage"] = "I8",
        ["ByteStorage"] = "U8",
        ["BoolStorage"] = "BOOL",
    };

    private sealed record StorageType(string Type);

    /// <returns>As <see cref="PickleReader.Read"/>, with <see cref="PickledTensor"/> for tensors.</returns>
    /// <exception cref="WeightFileException">The pickle names something that weights have no use for.</exception>
    /// <exception cref="InvalidDataException">It is garbled.</exception>
    public static object? Read(byte[] pickle) => PickleReader.Read(pickle, new TorchPickle(), Most);

    public object Find(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => new PickledCall(
            arguments => arguments is [] ? new PickledDictionary() : throw PickleReader.Garbled()),
        ("torch._utils", "_rebuild_tensor_v2") => new PickledCall(Tensor),
        ("torch._utils", "_rebuild_parameter") => new PickledCall(
            arguments => arguments is [PickledTensor tensor, ..] ? tensor : throw PickleReader.Garbled()),
        ("torch", _) when StorageTypes.TryGetValue(name, out string? type) => new StorageType(type),
        _ => throw new WeightFileException(
            $"refers to {Printable(module)}.{Printable(name)}, for which weights have no use and which is not called; save it again with " +
            $"torch.save(model.state_dict(), ...)"),
    };

    public object Stored(object?[] identity) => identity is ["storage", StorageType type, string key, string, long]
        ? new PickledStorage(type.Type, key)
        : throw PickleReader.Garbled();

    private static PickledTensor Tensor(object?[] arguments) =>
        arguments is [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..]
        ? new(storage, offset, Whole(shape), Whole(strides))
        : throw PickleReader.Garbled();

    /// <summary>Many tensors may share one tuple, so of what is too long anyway only the beginning is copied.</summary>
    private static long[] Whole(object?[] numbers) => [.. numbers.Take(TorchArchive.MostDimensions + 1)
        .Select(number => number is long whole ? whole : throw PickleReader.Garbled())];

    /// <summary>A name from a foreign file, fit for a message of one line.</summary>
    private static string Printable(string name) =>
        string.Concat(name.Take(60).Select(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' ? character : '?'));
}
