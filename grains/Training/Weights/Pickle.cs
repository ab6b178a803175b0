namespace PixelCnnCluster.Training.Weights;

/// <summary>The instructions of Python's pickle format that a state_dict consists of.</summary>
internal enum PickleCode : byte
{
    Mark = (byte)'(',
    Stop = (byte)'.',
    Float = (byte)'G',
    Int32 = (byte)'J',
    UInt8 = (byte)'K',
    UInt16 = (byte)'M',
    None = (byte)'N',
    PersistentId = (byte)'Q',
    Reduce = (byte)'R',
    Text = (byte)'X',
    Append = (byte)'a',
    Build = (byte)'b',
    Global = (byte)'c',
    Appends = (byte)'e',
    Get = (byte)'h',
    Instance = (byte)'i',
    LongGet = (byte)'j',
    Put = (byte)'q',
    LongPut = (byte)'r',
    SetItem = (byte)'s',
    Tuple = (byte)'t',
    SetItems = (byte)'u',
    EmptyList = (byte)']',
    EmptyDictionary = (byte)'}',
    EmptyTuple = (byte)')',
    Protocol = 0x80,
    Tuple1 = 0x85,
    Tuple2 = 0x86,
    Tuple3 = 0x87,
    True = 0x88,
    False = 0x89,
    Long = 0x8A,
    ShortText = 0x8C,
    StackGlobal = 0x93,
    Memoize = 0x94,
    Frame = 0x95,
}

/// <summary>A Python dictionary as it was filled: the last of equal keys holds.</summary>
internal sealed class PickledDictionary
{
    public List<(object? Key, object? Value)> Items { get; } = [];
}

/// <summary>A run of numbers in the archive.</summary>
/// <param name="Type">In safetensors' spelling.</param>
/// <param name="Key">Name of the archive's member.</param>
internal sealed record PickledStorage(string Type, string Key);

/// <summary>A view of a storage, its offset and strides in elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Shape, long[] Strides);
