using System.Globalization;
using System.IO.Compression;
using System.IO.Hashing;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training.Checkpoints;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// A `.pth`: the zip archive of `torch.save` (PyTorch 1.6 and newer) with a pickled state_dict and a member for each storage. What is
/// read of it never takes more memory than a small multiple of the file's size, whatever it claims.
/// </summary>
internal sealed class TorchArchive
{
    private const string Pickle = "data.pkl";

    /// <summary>Of a tensor.</summary>
    public const int MostDimensions = 8;

    private readonly ZipArchive _zip;
    private readonly string _root;
    private readonly Dictionary<string, byte[]> _storages = [];
    private long _unread;
    private long _unclaimed;

    private TorchArchive(ZipArchive zip, long length)
    {
        _zip = zip;
        _unread = _unclaimed = length;
        ZipArchiveEntry[] pickles = [.. zip.Entries.Where(entry => entry.Name == Pickle)];
        if (pickles.Length != 1)
            throw new WeightFileException("is a zip archive but none of PyTorch's; name a file that torch.save wrote");
        _root = pickles[0].FullName[..^Pickle.Length];
    }

    /// <summary>Whether the file begins as a zip archive does.</summary>
    public static bool IsOne(ReadOnlySpan<byte> start) => start.StartsWith("PK\u0003\u0004"u8);

    /// <summary>The state_dict's tensors, without the prefix `module.` that a DataParallel model's have.</summary>
    /// <exception cref="WeightFileException">The archive holds something else or claims what it does not have.</exception>
    /// <exception cref="InvalidDataException">It is garbled.</exception>
    public static Dictionary<string, SafeTensor> Read(Stream file)
    {
        using var zip = new ZipArchive(file, ZipArchiveMode.Read, leaveOpen: true);
        var archive = new TorchArchive(zip, file.Length);
        if (archive.Find("byteorder") is { } order && !archive.Content(order).AsSpan().SequenceEqual("little"u8))
            throw new WeightFileException("was saved on a big-endian machine; load it and save it again on a little-endian one");
        object? saved = TorchPickle.Read(archive.Content(archive.Find(Pickle)!));
        return StateDict.Of(saved).ToDictionary(entry => entry.Key, entry => archive.Tensor(entry.Key, entry.Value));
    }

    /// <summary>Writes float32 tensors so that `torch.load` reads them; the same tensors give the same bytes.</summary>
    public static void Write(Stream file, IReadOnlyList<(string Name, SafeTensor Tensor)> tensors)
    {
        using var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true);
        Add(Pickle, PickleWriter.Write(tensors));
        Add("byteorder", "little"u8);
        for (int i = 0; i < tensors.Count; i++)
            Add(string.Create(CultureInfo.InvariantCulture, $"data/{i}"), tensors[i].Tensor.Data.Span);
        Add("version", "3\n"u8);

        void Add(string name, ReadOnlySpan<byte> content)
        {
            ZipArchiveEntry entry = zip.CreateEntry("archive/" + name, CompressionLevel.NoCompression);
            entry.LastWriteTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
            using Stream member = entry.Open();
            member.Write(content);
        }
    }

    private ZipArchiveEntry? Find(string name) => _zip.GetEntry(_root + name);

    private byte[] Content(ZipArchiveEntry entry)
    {
        if (entry.CompressedLength != entry.Length)
            throw new WeightFileException(
                $"has a compressed member {entry.FullName}, which torch.save never writes; load it in PyTorch and save it again");
        _unread -= entry.Length;
        if (_unread < 0 || entry.Length > Array.MaxLength)
            throw new InvalidDataException($"its member {entry.FullName} claims more bytes than there are");
        byte[] content = new byte[entry.Length];
        using Stream member = entry.Open();
        member.ReadExactly(content);
        return Crc32.HashToUInt32(content) == entry.Crc32 ? content
            : throw new InvalidDataException($"its member {entry.FullName} does not fit its checksum");
    }

    private SafeTensor Tensor(string name, PickledTensor tensor)
    {
        PickledStorage storage = tensor.Storage;
        if (!_storages.TryGetValue(storage.Key, out byte[]? content))
            _storages[storage.Key] = content = Content(
                Find("data/" + storage.Key) ?? throw new InvalidDataException($"the storage of {name} is missing"));
        int width = SafeTensorsHeader.WidthOf(storage.Type);
        long elements = Elements(name, tensor, content.Length / width);
        _unclaimed -= elements * width;
        if (_unclaimed < 0)
            throw new WeightFileException(
                "has tensors that share their storages and together claim more bytes than there are; save clones of them");
        byte[] gathered = new byte[elements * width];
        if (elements > 0)
            Gather(tensor, width, content, gathered);
        return new(storage.Type, tensor.Shape, gathered);
    }

    /// <summary>How many elements the tensor has, all of which lie within its storage.</summary>
    private static long Elements(string name, PickledTensor tensor, long available)
    {
        (long[] shape, long[] strides) = (tensor.Shape, tensor.Strides);
        if (shape.Length != strides.Length || shape.Length > MostDimensions || tensor.Offset < 0 || shape.Any(side => side < 0)
            || strides.Any(stride => stride < 0))
            throw new InvalidDataException($"the shape of {name} is impossible");
        try
        {
            long elements = shape.Aggregate(1L, (product, side) => checked(product * side));
            long last = shape.Zip(strides).Aggregate(tensor.Offset, (sum, pair) => checked(sum + ((pair.First - 1) * pair.Second)));
            if (elements == 0 || (elements <= available && last < available))
                return elements;
        }
        catch (OverflowException)
        {
            // Then it is beyond any storage.
        }

        throw new InvalidDataException($"{name} [{string.Join(", ", shape)}] reaches beyond its storage of {available} numbers");
    }

    /// <summary>Copies a view's elements in order.</summary>
    private static void Gather(PickledTensor tensor, int width, byte[] from, byte[] to)
    {
        int written = 0;
        Copy(0, tensor.Offset);

        void Copy(int dimension, long element)
        {
            if (dimension == tensor.Shape.Length)
            {
                from.AsSpan((int)(element * width), width).CopyTo(to.AsSpan(written));
                written += width;
                return;
            }

            for (long i = 0; i < tensor.Shape[dimension]; i++)
                Copy(dimension + 1, element + (i * tensor.Strides[dimension]));
        }
    }
}
