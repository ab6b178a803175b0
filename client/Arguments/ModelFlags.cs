using System.CommandLine;
using static PixelCnnCluster.Client.Arguments.ValueKinds;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>The flags of the commands that use a trained model.</summary>
public static class ModelFlags
{
    public static readonly Argument<string[]> Images = new("image") { Description = "PNG or JPEG files of the model's size.", Arity = ArgumentArity.ZeroOrMore };

    public static readonly Valued<string> Model = new("--model", Text("model"),
        "Checkpoint file, a folder whose newest is taken, or with --cluster the name of a run, also one that is training. Default: the newest checkpoint in runs/; with --cluster, the newest run.");

    public static readonly Valued<int> Count = new("--count", Whole<int>(), "Images to draw. Default: 16.", "-n");

    public static readonly Valued<int> Completions = new("--count", Whole<int>(), "Completions of each image. Default: 4.", "-n");

    public static readonly Valued<ulong> Seed = new("--seed", Whole<ulong>(), "The same seed gives the same images, on any number of samplers. Default: 1.", "-s");

    public static readonly Valued<int> Class = new("--class", Whole<int>(), "Class of the images, counted from 0, for a class-conditional model. Default: the classes take turns.", "-c");

    public static readonly Valued<double> MixtureTemperature = new("--mixture-temperature", Number, "1 chooses each pixel's component as the model says, less keeps to the likelier ones, 0 takes the likeliest. Default: 1.");

    public static readonly Valued<double> LogisticTemperature = new("--logistic-temperature", Number, "Factor on the spread of each component; 0 takes its mean. Default: 1.");

    public static readonly Valued<int> Batch = new("--batch", Whole<int>(), "Images that a sampler takes at once; the result does not depend on it. Default: shared out evenly, at most 64.", "-b");

    public static readonly Valued<string> Output = new("--output", Text("path"), "Where the images go: a name that ends in .png for one picture of all, in .npz for NumPy (arr_0 [N, H, W, C]), or else a folder for a PNG file of each. Default: a .png named after the time.", "-o");

    public static readonly Valued<string> Keep = new("--keep", Text("part"), "What stays of each image: top (half), left (half), a number of rows from the top, or a picture of the model's size that is white where pixels stay. Default: top.", "-k");

    private static readonly Flag[] Drawing = [Seed, Class, MixtureTemperature, LogisticTemperature, Batch, Output, Model, CommonFlags.Cluster, CommonFlags.Json];

    public static IReadOnlyList<Flag> OfSample { get; } = [Count, .. Drawing];

    public static IReadOnlyList<Flag> OfComplete { get; } = [Keep, Completions, .. Drawing];
}
