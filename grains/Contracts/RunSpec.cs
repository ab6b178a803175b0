using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MessagePack;

namespace PixelCnnCluster.Contracts;

/// <summary>Where the images of a run come from.</summary>
public enum DataSet { Digits, Mnist, FashionMnist, Cifar, ImageNet, Folder }

/// <summary>Nonlinearity of the gated residual blocks.</summary>
public enum Nonlinearity { ConcatElu, Elu, Relu }

/// <summary>What training minimises. Test scores are always the plain likelihood.</summary>
public enum Objective
{
    /// <summary>Discretised mixture of logistics (arXiv 1701.05517).</summary>
    Likelihood,

    /// <summary>The same likelihood with focal weighting (arXiv 1708.02002).</summary>
    Focal,

    /// <summary>The network emits samples; trained by energy distance. It has no bits/dim.</summary>
    EnergyDistance,
}

/// <summary>
/// What the network computes with while it trains. Parameters, moments, averages and sums of gradients are float32 in any case, and so are
/// scores and samples.
/// </summary>
public enum Precision
{
    /// <summary>float32, whose factors NVIDIA cards round to 10 bits before they multiply; on CPUs the same as float32.</summary>
    Tf32,

    Float32,

    /// <summary>Activations and weights are rounded to bfloat16; the likelihood and the weights' norms are float32.</summary>
    Bf16,
}

/// <summary>How the learning rate changes with the steps.</summary>
public enum LearningRateSchedule
{
    /// <summary>By a constant factor with each step, as in the published program.</summary>
    Exponential,

    Constant,

    /// <summary>In a straight line to the final rate at the end of the run.</summary>
    Linear,

    /// <summary>As half a cosine to the final rate at the end of the run (arXiv 1608.03983).</summary>
    Cosine,
}

/// <summary>How gradients travel between workers.</summary>
public enum WireFormat
{
    Float32,

    /// <summary>
    /// Half the bytes: every sum of gradients is rounded to bfloat16, also one that is not sent, so the result does not depend on the
    /// workers.
    /// </summary>
    Bf16,
}

/// <summary>
/// Everything that decides the parameters of a run after step t, and where its results go.
/// The defaults are those of the published PixelCNN++ program; <see cref="Presets"/> holds other starting points.
/// </summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record RunSpec
{
    public DataSet DataSet { get; init; } = DataSet.Cifar;

    /// <summary>Folder that holds the data set; not used by <see cref="DataSet.Digits"/>, which come with the program.</summary>
    public string DataDir { get; init; } = "data";

    /// <summary>Folder for checkpoints and sample pictures of this run.</summary>
    public string SaveDir { get; init; } = "";

    /// <summary>Side in pixels for <see cref="DataSet.ImageNet"/> (32 or 64) and <see cref="DataSet.Folder"/>.</summary>
    public int ImageSize { get; init; } = 32;

    /// <summary>Gated residual blocks per stage (nr_resnet).</summary>
    public int Blocks { get; init; } = 5;

    /// <summary>Filters of every stage (nr_filters).</summary>
    public int Filters { get; init; } = 160;

    /// <summary>Logistic components of each pixel's mixture (nr_logistic_mix).</summary>
    public int Mixtures { get; init; } = 10;

    public Nonlinearity Nonlinearity { get; init; } = Nonlinearity.ConcatElu;

    /// <summary>Probability that dropout zeroes an activation, in [0, 1).</summary>
    public double Dropout { get; init; } = 0.5;

    public bool ClassConditional { get; init; }

    public bool CoordinateChannels { get; init; }

    public bool NonLocal { get; init; }

    public Objective Objective { get; init; } = Objective.Likelihood;

    public double FocalGamma { get; init; } = 2;

    public double LearningRate { get; init; } = 0.001;

    /// <summary>Factor on the learning rate at each step of <see cref="LearningRateSchedule.Exponential"/>.</summary>
    public double LearningRateDecay { get; init; } = 0.999995;

    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Exponential;

    /// <summary>Steps at the beginning in which the learning rate rises from near 0.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Learning rate at the end of a linear or cosine schedule; null for a twentieth of the first.</summary>
    public double? FinalLearningRate { get; init; }

    /// <summary>
    /// Greatest norm of a step's gradient, of the mean over all pixels' channels; a longer gradient is scaled down to it. Null for none.
    /// </summary>
    public double? ClipNorm { get; init; }

    /// <summary>AdamW's weight decay; 0 for none.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Upper bound of the Polyak average's decay, which warms up as (1 + t) / (10 + t).</summary>
    public double PolyakDecay { get; init; } = 0.9995;

    /// <summary>Images of one shard.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>Images that set the weight-normalised layers' scales and biases before the first step.</summary>
    public int InitBatchSize { get; init; } = 16;

    /// <summary>Shards of one step (nr_gpu), whatever the number of workers.</summary>
    public int Shards { get; init; } = 8;

    /// <summary>What the network computes with while it trains.</summary>
    public Precision Precision { get; init; } = Precision.Tf32;

    /// <summary>How gradients travel between workers.</summary>
    public WireFormat Wire { get; init; } = WireFormat.Float32;

    public ulong Seed { get; init; } = 1;

    public int MaxEpochs { get; init; } = 5000;

    /// <summary>Steps after which the run ends; null leaves it to <see cref="MaxEpochs"/>.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>Minutes of training after which the run ends at the next committed step; null for no limit.</summary>
    public double? MaxMinutes { get; init; }

    /// <summary>Epochs between checkpoints and sample pictures.</summary>
    public int SaveInterval { get; init; } = 20;

    /// <summary>Steps between checkpoints besides; null for none.</summary>
    public long? SaveSteps { get; init; }

    /// <summary>Minutes of training after which a checkpoint is written at the latest.</summary>
    public double SaveMinutes { get; init; } = 10;

    /// <summary>Newest checkpoints that stay on disk; the one with the best test score stays besides.</summary>
    public int KeepCheckpoints { get; init; } = 3;

    /// <summary>Images sampled for each sample picture; 0 for none.</summary>
    public int Samples { get; init; } = 16;

    /// <summary>
    /// Steps in a row whose gradient was not finite after which the run ends, its parameters being those of the last good step.
    /// </summary>
    public int MaxSkipped { get; init; } = 10;

    /// <summary>Workers that the run wants; it trains with fewer while there are not so many.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Workers that round differently may train together: the parameters then depend on who did what.</summary>
    public bool MixedWorkers { get; init; }

    /// <summary>The run goes on although its images are not those that it has trained on so far.</summary>
    public bool AcceptDataChange { get; init; }

    /// <summary>Checkpoint file that the run continues; null to start afresh.</summary>
    public string? LoadParams { get; init; }

    /// <summary>Images of one step.</summary>
    [JsonIgnore, IgnoreMember]
    public int ImagesPerStep => BatchSize * Shards;

    /// <summary>Channels of all pixels of the images of one step.</summary>
    public double DimensionsPerStep(int channels, int size) => (double)ImagesPerStep * channels * size * size;

    public string ToJson() => JsonSerializer.Serialize(this, ContractsJson.Options);

    /// <exception cref="JsonException">The text is not a run's specification.</exception>
    public static RunSpec FromJson(string json) =>
        JsonSerializer.Deserialize<RunSpec>(json, ContractsJson.Options) ?? throw new JsonException("a run's specification is null");
}

/// <summary>How what the cluster says is written for machines: snake_case names, enums by name.</summary>
public static class ContractsJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new FiniteNumbers() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>A number that is not finite is null: JSON has no other word for it.</summary>
    private sealed class FiniteNumbers : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                ? double.Parse(reader.GetString()!, CultureInfo.InvariantCulture)
                : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value))
                writer.WriteNumberValue(value);
            else
                writer.WriteNullValue();
        }
    }
}
