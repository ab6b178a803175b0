using PixelCnnCluster.Contracts;
using static PixelCnnCluster.Client.Arguments.ValueKinds;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>
/// The flags of <c>train</c>. Names and short forms are those of the published PixelCNN++ program, and so are the defaults
/// where the help does not say otherwise.
/// </summary>
public static class TrainFlags
{
    public static readonly Valued<RunSpec> Preset = new("--preset",
        new(string.Join('|', Presets.All.Keys), Presets.All.TryGetValue, $"give one of {string.Join(", ", Presets.All.Keys)}"),
        "Starting point that the other flags change: quick (digits in a few minutes; the default when no data set is named) or cifar " +
        "(the published model).");

    public static readonly Valued<DataSet> DataSet = new("--data-set",
        Choice<DataSet>("cifar", "imagenet", "mnist", "fashion-mnist", "digits", "folder"),
        "Data set. Default: the bundled digits with preset quick; naming one brings the published program's defaults.", "-d");

    public static readonly Valued<string> DataDir = new(
        "--data-dir", Text("folder"),
        "Folder that holds the data set, downloaded there when it is missing. Default: data (the original's /tmp does not survive a " +
        "restart).", "-i");

    public static readonly Valued<string> SaveDir = new(
        "--save-dir", Text("folder"),
        "Folder for checkpoints, pictures and logs. Default: runs/<time>-<data set>, so that no run overwrites another; without " +
        "--cluster a continued run stays in its folder. Its name is the run's. With --cluster, this and the other paths " +
        "are the silos'.", "-o");

    public static readonly Valued<string> LoadParams = new(
        "--load-params", Text("checkpoint"),
        "Checkpoint to continue, or a folder whose newest is taken; without a value, the newest in --save-dir. Its own settings become " +
        "the defaults, unless --data-set or --preset is given.", "-r");

    public static readonly Valued<int> ImageSize = new(
        "--image-size", Whole<int>(), "Side of the images in pixels, for imagenet (32 or 64) and folder. Default: 32.");

    public static readonly Valued<int> Workers = new(
        "--workers", Whole<int>(),
        "Processes that share the work; the result does not depend on it. Default: one per core, at most one per shard; with --cluster, " +
        "as many as there are, at most one per shard.");

    public static readonly Valued<int> Threads = new(
        "--threads", Whole<int>(), "Threads of each worker, without --cluster only. Default: cores / workers, at least 1.");

    public static readonly Switch EnergyDistance = new(
        "--energy-distance", "Train by energy distance instead of likelihood; there is no bits/dim then.", "-ed");

    public static readonly Switch FocalLoss = new(
        "--focal-loss", "Weight the likelihood of each pixel by (1 - p)^gamma while training; test scores stay the plain likelihood.",
        "-fl");

    public static readonly Valued<double> FocalGamma = new("--focal-gamma", Number, "Gamma of --focal-loss. Default: 2.");

    public static readonly Switch PrintConfig = new(
        "--print-config", "Print all settings as JSON, those of the preset and the defaults too, and do nothing else.");

    /// <summary>Flags that set one property each, in the order of the help.</summary>
    public static readonly IReadOnlyList<SpecFlag> Settings =
    [
        SpecFlag.Of(DataSet,
            (s, v) => s with { Data = s.Data with { DataSet = v } }),
        SpecFlag.Of(DataDir,
            (s, v) => s with { Data = s.Data with { DataDir = v } }),
        SpecFlag.Of(SaveDir,
            (s, v) => s with { Output = s.Output with { SaveDir = v } }),
        SpecFlag.Of(ImageSize,
            (s, v) => s with { Data = s.Data with { ImageSize = v } }),
        SpecFlag.Of(
            new Valued<int>("--save-interval", Whole<int>(), "Epochs between checkpoints and pictures. Default: 20.", "-t"),
            (s, v) => s with { Output = s.Output with { SaveInterval = v } }),
        SpecFlag.OfEach(
            new Valued<SaveRule>(
                "--save-every", SaveRule.Kind,
                "When checkpoints are written besides, as 500steps, 10min or 1epoch; may be given several times. Default: 10min."),
            (s, v) => v.Apply(s)),
        SpecFlag.Of(
            new Valued<int>(
                "--keep", Whole<int>(),
                "Newest checkpoints that stay; the best by test score stays besides. Default: 3 (the original kept one)."),
                (s, v) => s with { Output = s.Output with { KeepCheckpoints = v } }),
        SpecFlag.Of(
            new Valued<int>("--nr-resnet", Whole<int>(), "Residual blocks per stage. Default: 5.", "-q"),
            (s, v) => s with { Model = s.Model with { Blocks = v } }),
        SpecFlag.Of(
            new Valued<int>("--nr-filters", Whole<int>(), "Filters of every stage. Default: 160.", "-n"),
            (s, v) => s with { Model = s.Model with { Filters = v } }),
        SpecFlag.Of(
            new Valued<int>("--nr-logistic-mix", Whole<int>(), "Logistic components of a pixel's mixture. Default: 10.", "-m"),
            (s, v) => s with { Model = s.Model with { Mixtures = v } }),
        SpecFlag.Of(
            new Valued<Nonlinearity>(
                "--resnet-nonlinearity", Choice<Nonlinearity>("concat_elu", "elu", "relu"),
                "Nonlinearity of the residual blocks. Default: concat_elu.", "-z"),
            (s, v) => s with { Model = s.Model with { Nonlinearity = v } }),
        SpecFlag.Of(new Switch("--class-conditional", "Condition the model on the labels.", "-c"),
            s => s with { Model = s.Model with { ClassConditional = true } }),
        SpecFlag.Of(
            new Switch("--coordinate-channels", "Add planes with each pixel's position to the input (CoordConv).", "-ac"),
            s => s with { Model = s.Model with { CoordinateChannels = true } }),
        SpecFlag.Of(new Switch("--non-local", "Add a causal attention block.", "-nl"),
            s => s with { Model = s.Model with { NonLocal = true } }),
        SpecFlag.Of(EnergyDistance,
            s => s with { Model = s.Model with { Objective = Objective.EnergyDistance } }),
        SpecFlag.Of(FocalLoss,
            s => s with { Model = s.Model with { Objective = Objective.Focal } }),
        SpecFlag.Of(FocalGamma,
            (s, v) => s with { Model = s.Model with { FocalGamma = v } }),
        SpecFlag.Of(
            new Valued<double>("--learning-rate", Number, "Learning rate of the first step. Default: 0.001.", "-l"),
            (s, v) => s with { Schedule = s.Schedule with { LearningRate = v } }),
        SpecFlag.Of(
            new Valued<double>("--lr-decay", Number, "Factor on the learning rate at each step. Default: 0.999995.", "-e"),
            (s, v) => s with { Schedule = s.Schedule with { LearningRateDecay = v, Schedule = LearningRateSchedule.Exponential } }),
        SpecFlag.Of(
            new Valued<LearningRateSchedule>(
                "--lr-schedule", Choice<LearningRateSchedule>("exponential", "constant", "linear", "cosine"),
                "How the learning rate changes: not at all (constant), exponential by --lr-decay, or linear or cosine to --final-lr " +
                "at the end of the run. " +
                "Default: exponential; with preset quick cosine."),
            (s, v) => s with { Schedule = s.Schedule with { Schedule = v } }),
        SpecFlag.Of(
            new Valued<long>("--warmup", Whole<long>(), "Steps in which the learning rate rises from near 0. Default: 0."),
            (s, v) => s with { Schedule = s.Schedule with { WarmupSteps = v } }),
        SpecFlag.Of(
            new Valued<double>(
                "--final-lr", Number, "Learning rate at the end of a linear or cosine schedule. Default: a twentieth of --learning-rate."),
            (s, v) => s with { Schedule = s.Schedule with { FinalLearningRate = v } }),
        SpecFlag.Of(
            new Valued<double>(
                "--clip-norm", Number,
                "Scale a gradient down to this norm when it is longer; the norm is that of the mean loss per pixel and channel. Default: " +
                "no limit."),
            (s, v) => s with { Optimiser = s.Optimiser with { ClipNorm = v } }),
        SpecFlag.Of(
            new Valued<double>("--weight-decay", Number, "AdamW's weight decay. Default: 0."),
            (s, v) => s with { Optimiser = s.Optimiser with { WeightDecay = v } }),
        SpecFlag.Of(
            new Valued<double>(
                "--polyak-decay", Number, "Decay of the average of the parameters that is scored, sampled and saved. Default: 0.9995."),
                (s, v) => s with { Optimiser = s.Optimiser with { PolyakDecay = v } }),
        SpecFlag.Of(
            new Valued<double>("--dropout", Number, "Probability that dropout zeroes an activation. Default: 0.5.", "-p", "--dropout-p"),
            (s, v) => s with { Model = s.Model with { Dropout = v } }),
        SpecFlag.Of(
            new Valued<int>("--batch-size", Whole<int>(), "Images of one shard. Default: 16.", "-b"),
            (s, v) => s with { Optimiser = s.Optimiser with { BatchSize = v } }),
        SpecFlag.Of(
            new Valued<int>("--init-batch-size", Whole<int>(), "Images that set the scales before the first step. Default: 16.", "-u"),
            (s, v) => s with { Optimiser = s.Optimiser with { InitBatchSize = v } }),
        SpecFlag.Of(
            new Valued<int>(
                "--shards", Whole<int>(),
                "Shards of one step, the original's GPUs; --workers says how many processes share them. Default: 8.", "-g", "--nr-gpu"),
                (s, v) => s with { Optimiser = s.Optimiser with { Shards = v } }),
        SpecFlag.Of(
            new Valued<Precision>(
                "--precision", Choice<Precision>("tf32", "float32", "bf16"),
                "What the network computes with: tf32 (float32, whose products GPUs round), float32, or bf16 (faster on GPUs, slower on " +
                "CPUs). Parameters, scores and samples are float32. Default: tf32."),
            (s, v) => s with { Compute = s.Compute with { Precision = v } }),
        SpecFlag.Of(
            new Switch(
                "--mixed-workers",
                "Let workers train together that round differently: other processors, cards or libtorch. Another run like this then ends " +
                "with other bits."),
            s => s with { Compute = s.Compute with { MixedWorkers = true } }),
        SpecFlag.Of(
            new Switch(
                "--accept-data-change",
                "Go on from a checkpoint although the data set is not the one that it was trained on."),
            s => s with { Data = s.Data with { AcceptDataChange = true } }),
        SpecFlag.Of(
            new Switch(
                "--ignore-memory",
                "Begin although a worker may have less memory than the run is expected to need."),
            s => s with { Compute = s.Compute with { IgnoreMemory = true } }),
        SpecFlag.Of(
            new Valued<WireFormat>(
                "--wire", Choice<WireFormat>("float32", "bf16"),
                "How gradients travel between workers: float32, or bf16 in half the bytes, rounded. Default: float32."),
                (s, v) => s with { Compute = s.Compute with { Wire = v } }),
        SpecFlag.Of(
            new Valued<int>("--max-epochs", Whole<int>(), "Epochs after which the run ends. Default: 5000.", "-x"),
            (s, v) => s with { Limits = s.Limits with { MaxEpochs = v } }),
        SpecFlag.Of(
            new Valued<long>("--max-steps", Whole<long>(), "Steps after which the run ends. Default: no limit."),
            (s, v) => s with { Limits = s.Limits with { MaxSteps = v } }),
        SpecFlag.Of(
            new Valued<double>(
                "--max-minutes", Number, "Minutes after which the run ends, after the step in progress. Default: no limit."),
                (s, v) => s with { Limits = s.Limits with { MaxMinutes = v } }),
        SpecFlag.Of(
            new Valued<int>(
                "--num-samples", Whole<int>(), "Images of each picture; 0 for none. Default: 16 (the original counted batches, 1).",
                "-ns"),
            (s, v) => s with { Output = s.Output with { Samples = v } }),
        SpecFlag.Of(
            new Valued<ulong>("--seed", Whole<ulong>(), "Seed of everything random. Default: 1.", "-s"),
            (s, v) => s with { Optimiser = s.Optimiser with { Seed = v } }),
        SpecFlag.Of(
            new Valued<int>(
                "--max-skipped", Whole<int>(), "Steps in a row with a gradient that is not finite after which the run ends. Default: 10."),
                (s, v) => s with { Limits = s.Limits with { MaxSkipped = v } }),
        SpecFlag.Of(Workers,
            (s, v) => s with { Compute = s.Compute with { Workers = v } }),
    ];

    /// <summary>Every flag, in the order of the help.</summary>
    public static IEnumerable<Flag> All { get; } = [Preset, LoadParams, .. Settings.Select(s => s.Flag), Threads, CommonFlags.Cluster,
        CommonFlags.Detach, CommonFlags.Json, PrintConfig];
}
