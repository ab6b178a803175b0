using System.Buffers.Binary;
using System.Text;

namespace PixelCnnCluster.Training.Pickles;

/// <summary>
/// Reads a pickle of plain values: an instruction that these do not need is refused, and so is a name that has nothing to stand for it,
/// called or not. Values that the pickle repeats are shared. What is made of it stays within a small multiple of the bytes read so far:
/// each instruction has a price, about what it costs in memory.
/// </summary>
internal sealed class PickleReader
{
    /// <summary>Of a value, a container and a place in the memory of repeated values.</summary>
    private const int ValuePrice = 1, ContainerPrice = 6, MemoPrice = 2;

    /// <summary>What a pickle may spend before its length counts.</summary>
    private const int Allowance = 100_000;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly IPickleNames _names;
    private readonly int _most;
    private readonly List<object?> _stack = [];
    private readonly Stack<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _position;
    private long _spent;

    private PickleReader(ReadOnlyMemory<byte> bytes, IPickleNames names, int most) => (_bytes, _names, _most) = (bytes, names, most);

    /// <param name="most">What the instructions of a real pickle of this kind do not come near to; a value has the price 1.</param>
    /// <returns>Null, a bool, long, double, string, object[] for a tuple, list, <see cref="PickledDictionary"/>, <c>ReadOnlyMemory</c> of
    /// bytes within the pickle, or what <paramref name="names"/> gave.</returns>
    /// <exception cref="InvalidDataException">It is garbled, or out of all proportion.</exception>
    public static object? Read(ReadOnlyMemory<byte> pickle, IPickleNames names, int most)
    {
        var reader = new PickleReader(pickle, names, most);
        while ((PickleCode)reader.Take(1)[0] is var code && code != PickleCode.Stop)
            reader.Do(code);
        object? value = reader.PopLast(1)[0];
        return reader._position == pickle.Length ? value : throw new InvalidDataException("its pickle ends before its bytes do");
    }

    public static InvalidDataException Garbled() => new("its pickle is garbled");

    private void Do(PickleCode code)
    {
        switch (code)
        {
            case PickleCode.Protocol: Take(1); break;
            case PickleCode.Frame: Take(8); break;
            case PickleCode.Mark: Mark(); break;
            case PickleCode.None: Push(null); break;
            case PickleCode.True: Push(true); break;
            case PickleCode.False: Push(false); break;
            case PickleCode.UInt8: Push((long)Take(1)[0]); break;
            case PickleCode.UInt16: Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleCode.Int32: Push((long)Int32()); break;
            case PickleCode.Long: Push(Long(Take(Take(1)[0]))); break;
            case PickleCode.Float: Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case PickleCode.Text: Push(Encoding.UTF8.GetString(Take(Int32()))); break;
            case PickleCode.ShortText: Push(Encoding.UTF8.GetString(Take(Take(1)[0]))); break;
            // A text of Python 2, each of whose characters is a byte.
            case PickleCode.ShortByteText: Push(Encoding.Latin1.GetString(Take(Take(1)[0]))); break;
            case PickleCode.ByteText or PickleCode.Bytes: Push(TakeMemory(Int32())); break;
            case PickleCode.ShortBytes: Push(TakeMemory(Take(1)[0])); break;
            case PickleCode.EmptyDictionary: Push(new PickledDictionary(), ContainerPrice); break;
            case PickleCode.EmptyList: Push(new List<object?>(), ContainerPrice); break;
            case PickleCode.EmptyTuple: Push(Array.Empty<object?>()); break;
            case PickleCode.Tuple: Push(PopMarked(), ContainerPrice); break;
            case PickleCode.Tuple1: Push(PopLast(1), ContainerPrice); break;
            case PickleCode.Tuple2: Push(PopLast(2), ContainerPrice); break;
            case PickleCode.Tuple3: Push(PopLast(3), ContainerPrice); break;
            case PickleCode.Put: Remember(Take(1)[0]); break;
            case PickleCode.LongPut: Remember(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case PickleCode.Memoize: Remember(_memo.Count); break;
            case PickleCode.Get: Push(Recall(Take(1)[0])); break;
            case PickleCode.LongGet: Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case PickleCode.Append: Extend(PopLast(1)); break;
            case PickleCode.Appends: Extend(PopMarked()); break;
            case PickleCode.SetItem: Fill(PopLast(2)); break;
            case PickleCode.SetItems: Fill(PopMarked()); break;
            case PickleCode.Global or PickleCode.Instance: Push(_names.Find(Line(), Line()), ContainerPrice); break;
            case PickleCode.StackGlobal:
                Push(PopLast(2) is [string module, string name] ? _names.Find(module, name) : throw Garbled(), ContainerPrice);
                break;
            case PickleCode.PersistentId:
                Push(PopLast(1) is [object?[] identity] ? _names.Stored(identity) : throw Garbled(), ContainerPrice);
                break;
            case PickleCode.Reduce:
                Push(PopLast(2) is [PickledCall call, object?[] arguments] ? call(arguments) : throw Garbled(), ContainerPrice);
                break;
            case PickleCode.Build:
                object? state = PopLast(1)[0];
                (Top() as IPickledObject ?? throw Garbled()).Build(state);
                break;
            default: throw new InvalidDataException($"its pickle has instruction 0x{(byte)code:x2}, for which plain data have no use");
        }
    }

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
            dictionary.Add(items[i], items[i + 1]);
    }

    private void Spend(int price)
    {
        _spent += price;
        if (_spent > Math.Min(_most, Allowance + (long)_position))
            throw new InvalidDataException("its pickle has more values than one of its kind and size can have");
    }

    private void Push(object? value, int price = ValuePrice)
    {
        Spend(price);
        _stack.Add(value);
    }

    private void Mark()
    {
        Spend(ValuePrice);
        _marks.Push(_stack.Count);
    }

    private void Remember(long place)
    {
        Spend(MemoPrice);
        _memo[place] = Top();
    }

    private object? Recall(long place) => _memo.TryGetValue(place, out object? value) ? value : throw Garbled();

    private object? Top() => _stack.Count > 0 ? _stack[^1] : throw Garbled();

    private object?[] PopMarked() => _marks.TryPop(out int mark) && mark <= _stack.Count ? PopLast(_stack.Count - mark) : throw Garbled();

    private object?[] PopLast(int count)
    {
        if (count > _stack.Count)
            throw Garbled();
        object?[] popped = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return popped;
    }

    private int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    private ReadOnlySpan<byte> Take(int count) => TakeMemory(count).Span;

    private ReadOnlyMemory<byte> TakeMemory(int count)
    {
        if (count < 0 || count > _bytes.Length - _position)
            throw new InvalidDataException("its pickle ends early");
        _position += count;
        return _bytes.Slice(_position - count, count);
    }

    private string Line()
    {
        int length = _bytes.Span[_position..].IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return line;
    }
}
