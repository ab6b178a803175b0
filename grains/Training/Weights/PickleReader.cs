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

    private readonly byte[] _bytes;
    private readonly List<object?> _stack = [];
    private readonly Stack<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _position;

    private PickleReader(byte[] bytes) => _bytes = bytes;

    private enum Known { Dictionary, Tensor, Parameter }

    private sealed record StorageType(string Type);

    /// <returns>Null, a bool, long, double, string, object[] for a tuple, list, <see cref="PickledDictionary"/> or
    /// <see cref="PickledTensor"/>.</returns>
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
            case PickleCode.Mark: _marks.Push(_stack.Count); break;
            case PickleCode.None: _stack.Add(null); break;
            case PickleCode.True: _stack.Add(true); break;
            case PickleCode.False: _stack.Add(false); break;
            case PickleCode.UInt8: _stack.Add((long)Take(1)[0]); break;
            case PickleCode.UInt16: _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleCode.Int32: _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case PickleCode.Long: _stack.Add(Long(Take(Take(1)[0]))); break;
            case PickleCode.Float: _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case PickleCode.Text: _stack.Add(Encoding.UTF8.GetString(Take(BinaryPrimitives.ReadInt32LittleEndian(Take(4))))); break;
            case PickleCode.ShortText: _stack.Add(Encoding.UTF8.GetString(Take(Take(1)[0]))); break;
            case PickleCode.EmptyDictionary: _stack.Add(new PickledDictionary()); break;
            case PickleCode.EmptyList: _stack.Add(new List<object?>()); break;
            case PickleCode.EmptyTuple: _stack.Add(Array.Empty<object?>()); break;
            case PickleCode.Tuple: _stack.Add(PopMarked()); break;
            case PickleCode.Tuple1: _stack.Add(PopLast(1)); break;
            case PickleCode.Tuple2: _stack.Add(PopLast(2)); break;
            case PickleCode.Tuple3: _stack.Add(PopLast(3)); break;
            case PickleCode.Put: _memo[Take(1)[0]] = Top(); break;
            case PickleCode.LongPut: _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Top(); break;
            case PickleCode.Memoize: _memo[_memo.Count] = Top(); break;
            case PickleCode.Get: _stack.Add(Recall(Take(1)[0])); break;
            case PickleCode.LongGet: _stack.Add(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case PickleCode.Append: Extend(PopLast(1)); break;
            case PickleCode.Appends: Extend(PopMarked()); break;
            case PickleCode.SetItem: Fill(PopLast(2)); break;
            case PickleCode.SetItems: Fill(PopMarked()); break;
            case PickleCode.Global or PickleCode.Instance: _stack.Add(Named(Line(), Line())); break;
            case PickleCode.StackGlobal:
                _stack.Add(
                PopLast(2) is [string module, string name] ? Named(module, name) : throw Garbled()); break;
            case PickleCode.PersistentId: _stack.Add(Storage(Pop<object?[]>())); break;
            case PickleCode.Reduce:
                _stack.Add(
                PopLast(2) is [Known callee, object?[] arguments] ? Call(callee, arguments) : throw Garbled()); break;
            // Attributes, such as a state_dict's versions.
            case PickleCode.Build when PopLast(1) is [PickledDictionary] && Top() is PickledDictionary: break;
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
            $"refers to {Printable(module)}.{Printable(name)}, for which weights have no use and which is not called; save it again with " +
            $"torch.save(model.state_dict(), ...)"),
    };

    private static object Call(Known callee, object?[] arguments) => (callee, arguments) switch
    {
        (Known.Dictionary, []) => new PickledDictionary(),
        (Known.Tensor, [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..]) =>
            new PickledTensor(storage, offset, Whole(shape), Whole(strides)),
        (Known.Parameter, [PickledTensor tensor, ..]) => tensor,
        _ => throw Garbled(),
    };

    private static PickledStorage Storage(object?[] id) =>
        id is ["storage", StorageType type, string key, string, long] ? new(type.Type, key) : throw Garbled();

    /// <summary>Many tensors may share one tuple, so of what is too long anyway only the beginning is copied.</summary>
    private static long[] Whole(object?[] numbers) =>
        [.. numbers.Take(TorchArchive.MostDimensions + 1).Select(number => number is long whole ? whole : throw Garbled())];

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

    private object? Recall(long place) => _memo.TryGetValue(place, out object? value) ? value : throw Garbled();

    private object? Top() => _stack.Count > 0 ? _stack[^1] : throw Garbled();

    private T Pop<T>() => PopLast(1)[0] is T value ? value : default(T) is null && typeof(T) == typeof(object) ? default! : throw Garbled();

    private object?[] PopMarked() => _marks.TryPop(out int mark) && mark <= _stack.Count ? PopLast(_stack.Count - mark) : throw Garbled();

    private object?[] PopLast(int count)
    {
        if (count > _stack.Count)
            throw Garbled();
        object?[] popped = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return popped;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _bytes.Length - _position)
            throw new InvalidDataException("its pickle ends early");
        _position += count;
        return _bytes.AsSpan(_position - count, count);
    }

    private string Line()
    {
        int length = _bytes.AsSpan(_position).IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return line;
    }

    /// <summary>A name from a foreign file, fit for a message of one line.</summary>
    private static string Printable(string name) =>
        string.Concat(name.Take(60).Select(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' ? character : '?'));

    private static InvalidDataException Garbled() => new("its pickle is no state_dict");
}
