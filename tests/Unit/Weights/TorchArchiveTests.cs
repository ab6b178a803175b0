using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>A `.pth` comes from anywhere: its tensors are read, everything else in it is refused and nothing is executed.</summary>
public sealed class TorchArchiveTests : IDisposable
{
    private const string Start = "\u0080\u0002", Dictionary = "ccollections\nOrderedDict\n)R", End = ".";

    private readonly TempFolder _folder = new();

    /// <summary>Pickles in Latin-1; every one names what must be refused.</summary>
    public static TheoryData<string, string> Foreign => new()
    {
        { Start + "cposix\nsystem\n" + Text("touch /tmp/pwned") + "\u0085R.", "posix.system" },
        { Start + "cos\nsystem\n" + Text("touch /tmp/pwned") + "\u0085R.", "os.system" },
        { Start + "cbuiltins\neval\n" + Text("1+1") + "\u0085R.", "builtins.eval" },
        { Start + "c__builtin__\neval\n0" + Dictionary + ".", "__builtin__.eval" },
        { Start + Text("os") + Text("system") + "\u0093.", "os.system" },
        { Start + "(ios\nsystem\n.", "os.system" },
        { Start + Dictionary + Text("a") + "cargparse\nNamespace\n)Rs.", "argparse.Namespace" },
        { Start + Dictionary + Text("a") + "]" + Dictionary + Text("b") + "(K\u0001cnumpy.core.multiarray\nscalar\nts"
            + "as.", "numpy.core.multiarray.scalar" },
        { Start + Dictionary + "}" + Text("_metadata") + "cos\nenviron\nsb.", "os.environ" },
        { Start + "ctorch\nload\n.", "torch.load" },
        { Start + "ctorch._utils\n_import_dotted_name\n.", "torch._utils._import_dotted_name" },
        { Start + "ccollections\nOrderedDict.fromkeys\n.", "collections.OrderedDict.fromkeys" },
        { Start + "cx\u001b[2J\ny. z\n.", "x??2J.y.?z" },
    };

    /// <summary>Values that are no dictionaries of tensors, and what their refusal says.</summary>
    public static TheoryData<string, string> Garbled => new()
    {
        { "", "ends early" },
        { Start, "ends early" },
        { Start + Dictionary, "ends early" },
        { Start + "X\u00ff\u00ff\u00ff\u00ff.", "ends early" },
        { Start + "X\u00ff\u00ff\u00ff\u007f.", "ends early" },
        { Start + "cos", "ends early" },
        { Start + ".", "pickle is garbled" },
        { Start + "t.", "pickle is garbled" },
        { Start + "h\u0001.", "pickle is garbled" },
        { Start + Dictionary + "(K\u0001u.", "pickle is garbled" },
        { Start + "(ctorch\nFloatStorage\ntQ.", "pickle is garbled" },
        { Start + "ctorch._utils\n_rebuild_tensor_v2\n)R.", "pickle is garbled" },
        { Start + "ccollections\nOrderedDict\nK\u0001\u0085\u0081.", "instruction 0x81" },
        { Start + "ccollections\nOrderedDict\n(o.", "instruction 0x6f" },
        { Start + "\u008a\u0009" + new string('\u0001', 9) + ".", "more than 64 bits" },
        { Start + "N.", "holds no dictionary of tensors" },
        { Start + Dictionary + ".", "holds no dictionary of tensors" },
        { Start + Dictionary + Text("epoch") + "K\u0001s.", "holds no dictionary of tensors" },
        { Start + Dictionary + "K\u0001" + Tensor("0", 0, [4], [1]) + "s.", "holds no dictionary of tensors" },
    };

    /// <summary>Views of a storage of four numbers that it has not.</summary>
    public static TheoryData<int, int[], int[]> Beyond => new()
    {
        { 1, [4], [1] },
        { 0, [5], [1] },
        { 0, [2, 2], [4, 1] },
        { 0, [5], [0] },
        { -1, [4], [1] },
        { 0, [-4], [1] },
        { 3, [4], [-1] },
        { 0, [2, 2], [1] },
        { 0, [int.MaxValue, int.MaxValue, int.MaxValue], [0, 0, 0] },
        { int.MaxValue, [2, 2], [int.MaxValue, int.MaxValue] },
        { 0, [1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1] },
    };

    [Theory]
    [MemberData(nameof(Foreign), DisableDiscoveryEnumeration = true)]
    public void Every_foreign_name_is_refused_where_it_stands(string pickle, string named)
    {
        Refuse(Archive(pickle), $"refers to {named}, for which weights have no use", "torch.save(model.state_dict(), ...)");
        Assert.False(File.Exists("/tmp/pwned"));
    }

    [Theory]
    [MemberData(nameof(Garbled), DisableDiscoveryEnumeration = true)]
    public void What_is_no_dictionary_of_tensors_is_refused(string pickle, string part) => Refuse(Archive(pickle), part);

    [Theory]
    [MemberData(nameof(Beyond), DisableDiscoveryEnumeration = true)]
    public void A_tensor_beyond_its_storage_is_refused(int offset, int[] shape, int[] strides) =>
        Refuse(Archive(One(Tensor("0", offset, shape, strides))), "weight", shape.Length == strides.Length && shape.Length < 9
            && offset >= 0 && shape.Concat(strides).Min() >= 0 ? "storage of 4" : "impossible");

    [Theory]
    [InlineData(0, new[] { 2, 2 }, new[] { 1, 2 }, new[] { 1f, 3, 2, 4 })]
    [InlineData(1, new[] { 2 }, new[] { 2 }, new[] { 2f, 4 })]
    [InlineData(1, new[] { 3 }, new[] { 0 }, new[] { 2f, 2, 2 })]
    [InlineData(3, new int[0], new int[0], new[] { 4f })]
    [InlineData(9, new[] { 0, 7 }, new[] { 7, 1 }, new float[0])]
    public void A_view_is_gathered(int offset, int[] shape, int[] strides, float[] expected)
    {
        SafeTensor tensor = Read(Archive(One(Tensor("0", offset, shape, strides))))["weight"];
        Assert.Equal(shape.Select(side => (long)side), tensor.Shape);
        Assert.Equal(expected, tensor.Floats());
    }

    [Fact]
    public void Wrappers_and_the_prefix_of_data_parallel_are_taken_off()
    {
        string tensor = Tensor("0", 0, [4], [1]);
        string inner = Dictionary + Text("module.a.weight") + tensor + "s";
        string[] pickles =
        [
            inner,
            Dictionary + Text("state_dict") + inner + "s",
            "}(" + Text("epoch") + "K\u0003" + Text("state_dict") + inner + Text("loss") + "G\u003f\u00f0\0\0\0\0\0\0" + Text("best")
                + "\u0088" + Text("none") + "Nu",
            Dictionary + Text("a.weight") + "ctorch._utils\n_rebuild_parameter\n" + tensor + "\u0089" + Dictionary + "\u0087Rs",
            Dictionary + Text("a.weight") + tensor + "s" + Text("a.weight") + tensor + "s}" + Text("_metadata") + Dictionary + "sb",
        ];
        Assert.All(
            pickles,
            pickle => Assert.Equal(
                [1f, 2, 3, 4], Assert.Single(Read(Archive(Start + pickle + End)), pair => pair.Key == "a.weight").Value.Floats()));
        Assert.Equal(
            ["b", "module.a"],
            Read(Archive(
                Start + Dictionary + Text("module.a") + tensor + "s" + Text("b") + tensor.Replace("4", "2", StringComparison.Ordinal) + "s"
                    + End, storage: new float[8])).Keys.Order());
        Refuse(Archive(
            Start + Dictionary + Text("model") + inner + "s" + Text("ema") + inner + "s" + End),
            "several dictionaries of tensors (model, ema)");
    }

    [Fact]
    public void Claims_beyond_the_file_are_refused()
    {
        string many = string.Concat(Enumerable.Range(0, 2000).Select(i => Text($"t{i}") + Tensor("0", 0, [40000], [1]) + "s"));
        Refuse(Archive(Start + Dictionary + many + End, storage: new float[40000]), "share their storages");
        Refuse(Archive(One(Tensor("9", 0, [4], [1]))), "storage of weight is missing");

        string bomb = Archive(One(Tensor("0", 0, [4], [1])), storage: new float[1 << 20], CompressionLevel.SmallestSize);
        Assert.InRange(new FileInfo(bomb).Length, 0, 10_000);
        Refuse(bomb, "compressed member", "save it again");

        byte[] lying = File.ReadAllBytes(Archive(One(Tensor("0", 0, [4], [1]))));
        int directory = lying.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        foreach (int size in new[] { directory + 20, directory + 24 })
            BitConverter.TryWriteBytes(lying.AsSpan(size), 1 << 30);
        Refuse(_folder.Write("lying.pth", lying), "archive/data/0 claims more bytes than there are");
    }

    [Fact]
    public void Other_archives_are_refused()
    {
        Refuse(Zip(("a.txt", "b"u8.ToArray())), "none of PyTorch's");
        Refuse(Zip(("a/data.pkl", Bytes(Start + Dictionary + End)), ("b/data.pkl", Bytes(Start + Dictionary + End))), "none of PyTorch's");
        Refuse(Zip(
            ("a/data.pkl", Bytes(One(Tensor("0", 0, [4], [1])))), ("a/data/0", new byte[16]), ("a/byteorder", "big"u8.ToArray())),
            "big-endian");
        Refuse(_folder.Write("cut.pth", File.ReadAllBytes(Stored.Vector("port-grey.pth"))[..50_000]), "cannot be read");
    }

    [Fact]
    public void Any_change_of_a_file_is_seen_or_does_no_harm()
    {
        byte[] valid = File.ReadAllBytes(Stored.Vector("port-grey.pth"));
        IReadOnlyDictionary<string, SafeTensor> tensors = Stored.Tensors(Stored.Vector("port-grey.pth"));
        var random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. valid];
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                Stored.AssertSame(tensors, TorchArchive.Read(new MemoryStream(damaged)));
            }
            catch (Exception fault) when (fault is WeightFileException or InvalidDataException or IOException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 150, 300);
    }

    [Fact]
    public void Any_change_of_a_pickle_is_read_or_refused()
    {
        byte[] valid = PickleWriter.Write([("a.weight", SafeTensor.Of([1, 2], [2])), ("b.weight", SafeTensor.Of([1, 2], [1, 2]))]);
        var random = new Random(2);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] damaged = [.. valid];
            for (int change = random.Next(3); change >= 0; change--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                StateDict.Of(TorchPickle.Read(damaged));
            }
            catch (Exception fault) when (fault is WeightFileException or InvalidDataException)
            {
            }
        }
    }

    [Fact]
    public void A_tuple_that_many_tensors_share_is_not_copied_for_each()
    {
        const int Length = 100_000, Tensors = 100;
        string first = Tensor("0", 0, [1], [1]).Replace(
            Numbers([1]) + Numbers([1]), $"({string.Concat(Enumerable.Repeat("K\u0001", Length))}tq\0h\0", StringComparison.Ordinal);
        string other = Tensor("0", 0, [1], [1]).Replace(Numbers([1]) + Numbers([1]), "h\0h\0", StringComparison.Ordinal);
        byte[] pickle = Bytes(
            Start + Dictionary + Text("a") + first + "s"
                + string.Concat(Enumerable.Range(0, Tensors).Select(i => Text($"b{i}") + other + "s")) + End);
        long before = GC.GetAllocatedBytesForCurrentThread();
        TorchPickle.Read(pickle);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, Length * Tensors * sizeof(long) / 4);
    }

    /// <summary>Two thousand keys of a few bytes, each for the same two thousand tensors.</summary>
    [Fact]
    public void A_dictionary_that_many_keys_share_is_not_copied_for_each()
    {
        const int Many = 2000;
        string tensors = string.Concat(
            Enumerable.Range(0, Many).Select(i => Text($"{i}") + (i == 0 ? Tensor("0", 0, [4], [1]) + "q\u0007" : "h\u0007")));
        byte[] pickle = Bytes(
            Start + "}(" + Text("a") + $"}}q\u0008({tensors}u"
                + string.Concat(Enumerable.Range(0, Many).Select(i => Text($"b{i}") + "h\u0008")) + "u" + End);
        Assert.InRange(pickle.Length, 0, 50_000);
        long before = GC.GetAllocatedBytesForCurrentThread();

        Dictionary<string, PickledTensor> found = StateDict.Of(TorchPickle.Read(pickle));

        Assert.Equal(Many, found.Count);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 20 << 20);
    }

    /// <summary>Each byte makes something that takes many: dictionaries, lists, places in the memory, marks and their tuples.</summary>
    [Theory]
    [InlineData("}")]
    [InlineData("]")]
    [InlineData("}\u0094")]
    [InlineData("(t")]
    [InlineData("N\u0085")]
    [InlineData("h\0h\0\u0086")]
    [InlineData("h\0h\u0001R")]
    public void What_is_out_of_proportion_to_its_bytes_is_refused(string repeated)
    {
        string begin = Start + "ccollections\nOrderedDict\nq\0)q\u0001";
        byte[] pickle = Bytes(begin + string.Concat(Enumerable.Repeat(repeated, 20_000_000 / repeated.Length)) + End);
        long before = GC.GetAllocatedBytesForCurrentThread();

        string message = Assert.Throws<InvalidDataException>(() => TorchPickle.Read(pickle)).Message;

        Assert.Equal("its pickle has more values than one of its kind and size can have", message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 20 << 20);
    }

    /// <summary>As a program saves that trains a large network: tensors with their optimiser's state, and a history beside them.</summary>
    [Fact]
    public void A_large_checkpoint_is_in_proportion()
    {
        string history = string.Concat(Enumerable.Range(0, 20_000).Select(_ => "](G\u003f\u00f0\0\0\0\0\0\0G\u003f\u00f0\0\0\0\0\0\0e"));
        string tensors = string.Concat(Enumerable.Range(0, 10_000).Select(i => Text($"layers.{i}.weight") + Shared(i)));
        byte[] pickle = Bytes(
            Start + "ctorch._utils\n_rebuild_tensor_v2\nq\0ctorch\nFloatStorage\nq\u0001" + Text("storage") + "q\u0002" + Text("cpu")
                + "q\u0003ccollections\nOrderedDict\nq\u0004" + Dictionary + "(" + Text("history") + $"]({history}e" + Text("state_dict")
                + Dictionary + $"({tensors}uu" + End);

        Assert.Equal(10_000, StateDict.Of(TorchPickle.Read(pickle)).Count);

        static string Shared(int i) => $"h\0((h\u0002h\u0001{Text($"{i}")}r{Int(1000 + (2 * i))}h\u0003K\u0004tr{Int(1001 + (2 * i))}QK\0" +
            $"K\u0004\u0085K\u0001\u0085\u0089h\u0004)RtR";
    }

    [Fact]
    public void Values_within_values_are_read_however_deep()
    {
        const int Deep = 100_000;
        string nested = string.Concat(Enumerable.Repeat("N", Deep)) + "]" + string.Concat(Enumerable.Repeat("a", Deep));
        Assert.Throws<InvalidDataException>(() => TorchPickle.Read(Bytes(Start + nested + End)));
        string tuples = "N" + string.Concat(Enumerable.Repeat("\u0085", 10_000));

        Assert.IsType<object?[]>(TorchPickle.Read(Bytes(Start + tuples + End)));
        Assert.Throws<WeightFileException>(() => StateDict.Of(TorchPickle.Read(Bytes(Start + "}" + Text("a") + tuples + "s" + End))));
    }

    private static string Text(string text) => $"X{Int(text.Length)}{text}";

    private static string Int(int number) => Encoding.Latin1.GetString(BitConverter.GetBytes(number));

    private static string Numbers(int[] numbers) => $"({string.Concat(numbers.Select(number => "J" + Int(number)))}t";

    private static string Tensor(string storage, int offset, int[] shape, int[] strides) =>
        $"ctorch._utils\n_rebuild_tensor_v2\n(({Text("storage")}ctorch\nFloatStorage\n{Text(storage)}{Text("cpu")}K\u0004tQJ" +
        $"{Int(offset)}{Numbers(shape)}{Numbers(strides)}\u0089{Dictionary}tR";

    private static string One(string tensor) => Start + Dictionary + Text("weight") + tensor + "s" + End;

    private static byte[] Bytes(string pickle) => Encoding.Latin1.GetBytes(pickle);

    private string Archive(string pickle, float[]? storage = null, CompressionLevel level = CompressionLevel.NoCompression) =>
        Zip(level, ("archive/data.pkl", Bytes(pickle)), ("archive/data/0",
            MemoryMarshal.AsBytes<float>(storage ?? [1, 2, 3, 4]).ToArray()));

    private string Zip(params (string Name, byte[] Content)[] members) => Zip(CompressionLevel.NoCompression, members);

    private string Zip(CompressionLevel level, params (string Name, byte[] Content)[] members)
    {
        string path = Path.Combine(_folder.Path, "made.pth");
        using FileStream file = File.Create(path);
        using var zip = new ZipArchive(file, ZipArchiveMode.Create);
        foreach ((string name, byte[] content) in members)
        {
            using Stream member = zip.CreateEntry(
                name, name.EndsWith(".pkl", StringComparison.Ordinal) ? CompressionLevel.NoCompression : level).Open();
            member.Write(content);
        }

        return path;
    }

    private static Dictionary<string, SafeTensor> Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        return TorchArchive.Read(file);
    }

    private void Refuse(string path, params string[] parts)
    {
        Stored.AssertRefused(() => WeightFiles.Import(path, Path.Combine(_folder.Path, "refused"), null), [path, .. parts]);
        Assert.False(Directory.Exists(Path.Combine(_folder.Path, "refused")));
    }

    public void Dispose() => _folder.Dispose();
}
