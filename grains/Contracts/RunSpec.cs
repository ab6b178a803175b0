using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using MessagePack;

namespace PixelCnnCluster.Contracts;

/// <summary>
/// Everything that decides the parameters of a run after step t, and where its results go, each concern with what can be wrong with it.
/// The defaults are those of the published PixelCNN++ program; <see cref="Presets"/> holds other starting points.
/// It travels and is stored as <see cref="FlatRunSpec"/>.
/// </summary>
[JsonConverter(typeof(RunSpecJson)), MessagePackFormatter(typeof(RunSpecMessagePack)), Immutable]
public sealed record RunSpec
{
    public DataSpec Data { get; init; } = new();

    public ModelSpec Model { get; init; } = new();

    public OptimiserSpec Optimiser { get; init; } = new();

    public ScheduleSpec Schedule { get; init; } = new();

    public LimitSpec Limits { get; init; } = new();

    public OutputSpec Output { get; init; } = new();

    public ComputeSpec Compute { get; init; } = new();

    public string ToJson() => JsonSerializer.Serialize(this, ContractsJson.Options);

    /// <summary>All settings in their sections, as indented JSON: also those that are not set, as null.</summary>
    public string ToConfig() => new JsonObject(typeof(RunSpec).GetProperties().Select(section => KeyValuePair.Create(
        JsonNamingPolicy.SnakeCaseLower.ConvertName(section.Name),
        JsonSerializer.SerializeToNode(section.GetValue(this), ContractsJson.Config)))).ToJsonString(ContractsJson.Config);

    /// <exception cref="JsonException">The text is not a run's specification.</exception>
    public static RunSpec FromJson(string json) =>
        JsonSerializer.Deserialize<RunSpec>(json, ContractsJson.Options) ?? throw new JsonException("a run's specification is null");

    /// <exception cref="UserErrorException">There are mistakes; it tells all.</exception>
    public void Check()
    {
        if (Validate() is [_, ..] mistakes)
            throw new UserErrorException(string.Join(' ', mistakes));
    }

    /// <summary>All mistakes at once, each a sentence that names the flag and the remedy; empty when there is none.</summary>
    public IReadOnlyList<string> Validate()
    {
        var mistakes = new SpecMistakes();
        Data.Validate(mistakes);
        Model.Validate(mistakes);
        Optimiser.Validate(mistakes);
        Schedule.Validate(mistakes);
        Limits.Validate(mistakes);
        Output.Validate(mistakes);
        Compute.Validate(mistakes);
        mistakes.Unless(
            Compute.Workers <= Optimiser.Shards,
            $"--workers is {Compute.Workers}, more than the {Optimiser.Shards} shards of a step; raise --shards or lower --workers.");
        return mistakes.Sentences;
    }
}

/// <summary>Gathers what is wrong with a specification, as sentences.</summary>
internal sealed class SpecMistakes
{
    private readonly List<string> _sentences = [];

    public IReadOnlyList<string> Sentences => _sentences;

    public void Unless(bool holds, string sentence)
    {
        if (!holds)
            _sentences.Add(sentence);
    }

    public void Within(long value, long least, long most, string flag)
    {
        Unless(value >= least, $"{flag} is {value}; give {least} or more.");
        Unless(value <= most, $"{flag} is {value}; give {most} or less.");
    }
}

/// <summary>When a run ends. Limits count what was trained and committed.</summary>
public sealed record LimitSpec
{
    public int MaxEpochs { get; init; } = 5000;

    /// <summary>Steps after which the run ends; null leaves it to <see cref="MaxEpochs"/>.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>Minutes of training after which the run ends at the next committed step; null for no limit.</summary>
    public double? MaxMinutes { get; init; }

    /// <summary>
    /// Steps in a row whose gradient was not finite after which the run ends, its parameters being those of the last good step.
    /// </summary>
    public int MaxSkipped { get; init; } = 10;

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Within(MaxEpochs, 1, int.MaxValue, "--max-epochs");
        mistakes.Within(MaxSteps ?? 1, 1, long.MaxValue, "--max-steps");
        mistakes.Unless(
            MaxMinutes is null or (> 0 and < double.PositiveInfinity), $"--max-minutes is {MaxMinutes}; give a number above 0.");
        mistakes.Within(MaxSkipped, 1, int.MaxValue, "--max-skipped");
    }
}

/// <summary>Starting points for a run; every flag of the console still applies on top.</summary>
public static class Presets
{
    /// <summary>Digits in a few minutes on two cores: what <c>train</c> does when nothing is asked for.</summary>
    public static RunSpec Quick { get; } = new()
    {
        Data = new() { DataSet = DataSet.Digits },
        Model = new() { Blocks = 1, Filters = 16, Mixtures = 5, Dropout = 0 },
        Optimiser = new() { PolyakDecay = 0.99, BatchSize = 4, InitBatchSize = 64, Shards = 4 },
        Schedule = new() { LearningRate = 0.005, Schedule = LearningRateSchedule.Cosine },
        Limits = new() { MaxEpochs = 2, MaxMinutes = 3 },
        Output = new() { SaveInterval = 1, Samples = 64 },
    };

    /// <summary>The CIFAR-10 model of arXiv 1701.05517: 2.92 bits/dim after about five days on eight GPUs.</summary>
    public static RunSpec Cifar { get; } = new();

    /// <summary>By the name that <c>--preset</c> takes.</summary>
    public static IReadOnlyDictionary<string, RunSpec> All { get; } = new Dictionary<string, RunSpec>
    {
        ["quick"] = Quick,
        ["cifar"] = Cifar,
    };
}
