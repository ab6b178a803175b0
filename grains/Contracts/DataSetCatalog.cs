namespace PixelCnnCluster.Contracts;

/// <summary>A file of a published data set.</summary>
/// <param name="Md5">Published checksum, lower-case hexadecimal.</param>
/// <param name="Bytes">Published size.</param>
/// <param name="Addresses">Where it is published, the first choice first.</param>
/// <param name="Places">Paths below the data folder where it, or what serves in its stead, is looked for; a download goes to the
/// first.</param>
public sealed record PublishedFile(string Name, string Md5, long Bytes, IReadOnlyList<Uri> Addresses, IReadOnlyList<string> Places)
{
    /// <summary>Full path of the first place that exists; null when none does.</summary>
    public string? Find(string dataDir) => Places.Select(place => Path.Combine(dataDir, place)).FirstOrDefault(Path.Exists);

    /// <summary>Where a download of the file goes.</summary>
    public string Target(string dataDir) => Path.Combine(dataDir, Places[0]);
}

/// <summary>What the data sets are called, where they are published and where their files are looked for.</summary>
public static class DataSetCatalog
{
    private static readonly string[] MnistMirrors =
        ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

    private static readonly string[] FashionMnistMirrors =
        ["https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"];

    // The last folder of each list is the data folder itself: the two sets have files of the same names, so their own folders go first.
    private static readonly string[] MnistFolders = ["mnist", "MNIST/raw", ""];
    private static readonly string[] FashionMnistFolders = ["fashion-mnist", "FashionMNIST/raw", ""];

    private static readonly PublishedFile[] Mnist =
    [
        Idx("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422, MnistMirrors, MnistFolders),
        Idx("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432", 28_881, MnistMirrors, MnistFolders),
        Idx("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3", 1_648_877, MnistMirrors, MnistFolders),
        Idx("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c", 4_542, MnistMirrors, MnistFolders),
    ];

    private static readonly PublishedFile[] FashionMnist =
    [
        Idx("train-images-idx3-ubyte", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880, FashionMnistMirrors, FashionMnistFolders),
        Idx("train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe", 29_515, FashionMnistMirrors, FashionMnistFolders),
        Idx("t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79", 4_422_102, FashionMnistMirrors, FashionMnistFolders),
        Idx("t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310", 5_148, FashionMnistMirrors, FashionMnistFolders),
    ];

    // An unpacked archive is known by its first batch.
    private static readonly PublishedFile[] Cifar =
    [
        new("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170_052_171,
            [new("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz")],
            [
                "cifar10/cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz",
                "cifar10/cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/data_batch_1.bin", "data_batch_1.bin",
                "cifar10/cifar-10-python.tar.gz", "cifar-10-python.tar.gz",
                "cifar10/cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/data_batch_1", "data_batch_1",
            ]),
    ];

    /// <summary>The files that make up the data set; empty where nothing can be downloaded.</summary>
    public static IReadOnlyList<PublishedFile> Files(DataSet dataSet) => dataSet switch
    {
        DataSet.Mnist => Mnist,
        DataSet.FashionMnist => FashionMnist,
        DataSet.Cifar => Cifar,
        _ => [],
    };

    /// <summary>How to get files of one data set by hand, as the second half of a sentence.</summary>
    public static string Advice(IReadOnlyList<PublishedFile> files, string dataDir) =>
        $"put {string.Join(", ", files.Select(file => file.Name))} from {new Uri(files[0].Addresses[0], ".")} into " +
        $"{Path.GetDirectoryName(files[0].Target(dataDir))}";

    private static PublishedFile Idx(string name, string md5, long bytes, string[] mirrors, string[] folders) => new(
        $"{name}.gz", md5, bytes, [.. mirrors.Select(mirror => new Uri($"{mirror}{name}.gz"))],
        [.. folders.SelectMany(folder => new[] { Path.Combine(folder, $"{name}.gz"), Path.Combine(folder, name) })]);
}
