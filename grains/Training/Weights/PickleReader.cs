using System.Buffers.Binary;
using System.Text;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// Reads a pickled state_dict. A pickle may name any Python function to call. Here a name stands for one of a few inert things or is
/// refused where it stands, called or not, and an instruction that a state_dict does not need is refused too: nothing is ever executed.
/// Memory stays within a multiple of the pickle's length.
/// </summary>
internal sealed class PickleReader
{
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

    private readonly byte[] bytes;
    private readonly List<object?> stack = [];
    private readonly Stack<int> marks = [];
    private readonly Dictionary<long, object?> memo = [];
    private int position;

    private PickleReader(byte[] bytes) => this.bytes = bytes;

    private enum Known { Dictionary, Tensor, Parameter }

    private sealed record StorageType(string Type);

    /// <returns>Null, a bool, long, double, string, object[] for a tuple, list, <see cref="PickledDictionary"/> or <see cref="PickledTensor"/>.</returns>
    /// <exception cref="WeightFileException">The pickle names something that weights have no use for.</exception>
    /// <exception cref="InvalidDataException">It is garbled.</exception>
    public static object? Read(byte[] pickle)
    {
        var reader = new PickleReader(pickle);
        while ((PickleCode)reader.Take(1)[0] is var code && code != PickleCode.Stop)
            reader.Do(code);
        return reader.Pop<object?>();
    }

    private void Do(PickleCode code)
    {
        switch (code)
        {
            case PickleCode.Protocol: Take(1); break;
            case PickleCode.Frame: Take(8); break;
            case PickleCode.Mark: marks.Push(stack.Count); break;
            case PickleCode.None: stack.Add(null); break;
            case PickleCode.True: stack.Add(true); break;
            case PickleCode.False: stack.Add(false); break;
            case PickleCode.UInt8: stack.Add((long)Take(1)[0]); break;
            case PickleCode.UInt16: stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleCode.Int32: stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case PickleCode.Long: stack.Add(Long(Take(Take(1)[0]))); break;
            case PickleCode.Float: stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case PickleCode.Text: stack.Add(Encoding.UTF8.GetString(Take(BinaryPrimitives.ReadInt32LittleEndian(Take(4))))); break;
            case PickleCode.ShortText: stack.Add(Encoding.UTF8.GetString(Take(Take(1)[0]))); break;
            case PickleCode.EmptyDictionary: stack.Add(new PickledDictionary()); break;
            case PickleCode.EmptyList: stack.Add(new List<object?>()); break;
            case PickleCode.EmptyTuple: stack.Add(Array.Empty<object?>()); break;
            case PickleCode.Tuple: stack.Add(PopMarked()); break;
            case PickleCode.Tuple1: stack.Add(PopLast(1)); break;
            case PickleCode.Tuple2: stack.Add(PopLast(2)); break;
            case PickleCode.Tuple3: stack.Add(PopLast(3)); break;
            case PickleCode.Put: memo[Take(1)[0]] = Top(); break;
            case PickleCode.LongPut: memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Top(); break;
            case PickleCode.Memoize: memo[memo.Count] = Top(); break;
            case PickleCode.Get: stack.Add(Recall(Take(1)[0])); break;
            case PickleCode.LongGet: stack.Add(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case PickleCode.Append: Extend(PopLast(1)); break;
            case PickleCode.Appends: Extend(PopMarked()); break;
            case PickleCode.SetItem: Fill(PopLast(2)); break;
            case PickleCode.SetItems: Fill(PopMarked()); break;
            case PickleCode.Global or PickleCode.Instance: stack.Add(Named(Line(), Line())); break;
            case PickleCode.StackGlobal: stack.Add(PopLast(2) is [string module, string name] ? Named(module, name) : throw Garbled()); break;
            case PickleCode.PersistentId: stack.Add(Storage(Pop<object?[]>())); break;
            case PickleCode.Reduce: stack.Add(PopLast(2) is [Known callee, object?[] arguments] ? Call(callee, arguments) : throw Garbled()); break;
            case PickleCode.Build when PopLast(1) is [PickledDictionary] && Top() is PickledDictionary: break; // Attributes, such as a state_dict's versions.
            default: throw new InvalidDataException($"its pickle has instruction 0x{(byte)code:x2}, for which a state_dict has no use");
        }
    }

    private static object Named(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => Known.Dictionary,
        ("torch._utils", "_rebuild_tensor_v2") => Known.Tensor,
        ("torch._utils", "_rebuild_parameter") => Known.Parameter,
        ("torch", _) when StorageTypes.TryGetValue(name, out string? type) => new StorageType(type),
        _ => throw new WeightFileException(
            $"refers to {Printable(module)}.{Printable(name)}, for which weights have no use and which is not called; save it again with torch.save(model.state_dict(), ...)"),
    };

    private static object Call(Known callee, object?[] arguments) => (callee, arguments) switch
    {
        (Known.Dictionary, []) => new PickledDictionary(),
        (Known.Tensor, [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..]) => new PickledTensor(storage, offset, Whole(shape), Whole(strides)),
        (Known.Parameter, [PickledTensor tensor, ..]) => tensor,
        _ => throw Garbled(),
    };

    private static PickledStorage Storage(object?[] id) =>
        id is ["storage", StorageType type, string key, string, long] ? new(type.Type, key) : throw Garbled();

    /// <summary>Many tensors may share one tuple, so of what is too long anyway only the beginning is copied.</summary>
    private static long[] Whole(object?[] numbers) => [.. numbers.Take(TorchArchive.MostDimensions + 1).Select(number => number is long whole ? whole : throw Garbled())];

    private static long Long(ReadOnlySpan<byte> digits)
    {
        if (digits.Length > sizeof(long))
            throw new InvalidDataException("its pickle has a number of more than 64 bits");
        long value = digits is [.., >= 0x80] ? -1 : 0;
        for (int i = digits.Length - 1; i >= 0; i--)
            value = (value << 8) | digits[i];
        return value;
    }

    private void Extend(object?[] items)
    {
        if (Top() is not List<object?> list)
            throw Garbled();
        list.AddRange(items);
    }

    private void Fill(object?[] items)
    {
        if (Top() is not PickledDictionary dictionary || items.Length % 2 != 0)
            throw Garbled();
        for (int i = 0; i < items.Length; i += 2)
            dictionary.Items.Add((items[i], items[i + 1]));
    }

    private object? Recall(long place) => memo.TryGetValue(place, out object? value) ? value : throw Garbled();

    private object? Top() => stack.Count > 0 ? stack[^1] : throw Garbled();

    private T Pop<T>() => PopLast(1)[0] is T value ? value : default(T) is null && typeof(T) == typeof(object) ? default! : throw Garbled();

    private object?[] PopMarked() => marks.TryPop(out int mark) && mark <= stack.Count ? PopLast(stack.Count - mark) : throw Garbled();

    private object?[] PopLast(int count)
    {
        if (count > stack.Count)
            throw Garbled();
        object?[] popped = [.. stack[^count..]];
        stack.RemoveRange(stack.Count - count, count);
        return popped;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > bytes.Length - position)
            throw new InvalidDataException("its pickle ends early");
        position += count;
        return bytes.AsSpan(position - count, count);
    }

    private string Line()
    {
        int length = bytes.AsSpan(position).IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return line;
    }

    /// <summary>A name from a foreign file, fit for a message of one line.</summary>
    private static string Printable(string name) => string.Concat(name.Take(60).Select(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' ? character : '?'));

    private static InvalidDataException Garbled() => new("its pickle is no state_dict");
}
