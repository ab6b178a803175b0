using System.CommandLine;
using PixelCnnCluster.Contracts;
using static PixelCnnCluster.Client.Arguments.ValueKinds;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>The flags of the commands that use a trained model.</summary>
public static class ModelFlags
{
    public static readonly Argument<string[]> Images = new("image")
    {
        Description = "PNG or JPEG files of the model's size.",
        Arity = ArgumentArity.ZeroOrMore
    };

    public static readonly Valued<string> Model = new("--model", Text("model"),
        "Checkpoint file, a folder whose newest is taken, or with --cluster the name of a run, also one that is training. Default: the " +
        "newest checkpoint in runs/; with --cluster, the newest run.");

    public static readonly Valued<int> Count = new("--count", Whole<int>(), "Images to sample. Default: 16.", "-n");

    public static readonly Valued<int> Completions = new("--count", Whole<int>(), "Completions of each image. Default: 4.", "-n");

    public static readonly Valued<ulong> Seed = new(
        "--seed", Whole<ulong>(), "The same seed gives the same images, on any number of samplers. Default: 1.", "-s");

    public static readonly Valued<int> Class = new(
        "--class", Whole<int>(), "Class of the images, counted from 0, for a class-conditional model. Default: the classes take turns.",
        "-c");

    public static readonly Valued<double> MixtureTemperature = new(
        "--mixture-temperature", Number,
        "1 chooses each pixel's component as the model says, less keeps to the likelier ones, 0 takes the likeliest. Default: 1.");

    public static readonly Valued<double> LogisticTemperature = new(
        "--logistic-temperature", Number, "Factor on the spread of each component; 0 takes its mean. Default: 1.");

    public static readonly Valued<int> Batch = new(
        "--batch", Whole<int>(),
        "Images that a sampler takes at once; the result does not depend on it. Default: shared out evenly, at most 64.", "-b");

    public static readonly Valued<string> Output = new(
        "--output", Text("path"),
        "Where the images go: a name that ends in .png for one picture of all, in .npz for NumPy (arr_0 [N, H, W, C]), or else a folder " +
        "for a PNG file of each. Default: a .png named after the time.", "-o");

    public static readonly Valued<string> Keep = new(
        "--keep", Text("part"),
        "What stays of each image: top (half), left (half), a number of rows from the top, or a picture of the model's size that is " +
        "white where pixels stay. Default: top.", "-k");

    public static readonly Argument<string[]> Weights = new("file")
    {
        Description = ".safetensors or .pth file.",
        Arity = ArgumentArity.ZeroOrMore
    };

    public static readonly Valued<DataSet> DataSet = new(
        "--data-set", TrainFlags.DataSet.Kind, "Data set to score. Default of evaluate: the one that the model was trained on.", "-d");

    public static readonly Valued<string> DataDir = new("--data-dir", Text("folder"),
        "Folder that holds the data set, downloaded there when it is missing; with --cluster, the silos'. Default: where the model's run " +
        "had it, and for another data set data.", "-i");

    public static readonly Switch Train = new("--train", "Score the data set's training images instead of its test images.");

    public static readonly Valued<int> Limit = new("--count", Whole<int>(), "First images of the data set to score. Default: all.", "-n");

    public static readonly Valued<int> ScoredClass = new(
        "--class", Whole<int>(), "Class of the image files, counted from 0, for a class-conditional model.", "-c");

    public static readonly Switch Csv = new(
        "--csv", "Write image,bits,bits_per_dim to standard output, a line for each image, and nothing else.");

    public static readonly Valued<string> Map = new(
        "--map", Text("path"),
        "PNG to write where the bits went: each image, and beside it black for no bits up to yellow for 8 bits a channel.");

    public static readonly Valued<string> WeightsOutput = new("--output", Text("path"),
        "File to write: .safetensors for plain weights, .pth for the common PyTorch port of PixelCNN++. With --cluster, the silo's. " +
        "Default: the run's name and .safetensors.", "-o");

    public static readonly Valued<string> SaveDir = new(
        "--save-dir", Text("folder"), "Folder of the new checkpoint. With --cluster, the silos'. Default: runs/ and the file's name.",
        "-o");

    public static readonly Valued<int> ImageSize = new(
        "--image-size", Whole<int>(),
        "Side of the model's images in pixels, where the file does not tell it. Default: 28 for grey images, 32 for colour.");

    private static readonly Flag[] Common = [Model, CommonFlags.Cluster, CommonFlags.Json];

    private static readonly Flag[] Sampling = [Seed, Class, MixtureTemperature, LogisticTemperature, Batch, Output, .. Common];

    public static IReadOnlyList<Flag> OfSample { get; } = [Count, .. Sampling];

    public static IReadOnlyList<Flag> OfComplete { get; } = [Keep, Completions, .. Sampling];

    public static IReadOnlyList<Flag> OfScore { get; } = [DataSet, DataDir, Train, Limit, ScoredClass, Batch, Map, Csv, .. Common];

    public static IReadOnlyList<Flag> OfEvaluate { get; } = [DataSet, DataDir, Train, Limit, Batch, .. Common];

    public static IReadOnlyList<Flag> OfExport { get; } = [WeightsOutput, .. Common];

    public static IReadOnlyList<Flag> OfImport { get; } = [SaveDir, ImageSize, CommonFlags.Cluster, CommonFlags.Json];
}
