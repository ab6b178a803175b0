using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MessagePack;

namespace PixelCnnCluster.Contracts;

/// <summary>Something that happened to a run, in the order of <see cref="RunProgress.Next"/>.</summary>
[GenerateSerializer, Immutable]
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(RunStarted), "started")]
[JsonDerivedType(typeof(WorkersAwaited), "waiting")]
[JsonDerivedType(typeof(GenerationOpened), "generation")]
[JsonDerivedType(typeof(StepCommitted), "step")]
[JsonDerivedType(typeof(Evaluated), "evaluated")]
[JsonDerivedType(typeof(CheckpointSaved), "checkpoint")]
[JsonDerivedType(typeof(SamplesWritten), "samples")]
[JsonDerivedType(typeof(FaultNoticed), "fault")]
[JsonDerivedType(typeof(RunEnded), "ended")]
[Union(0, typeof(RunStarted))]
[Union(1, typeof(WorkersAwaited))]
[Union(2, typeof(GenerationOpened))]
[Union(3, typeof(StepCommitted))]
[Union(4, typeof(Evaluated))]
[Union(5, typeof(CheckpointSaved))]
[Union(6, typeof(SamplesWritten))]
[Union(7, typeof(FaultNoticed))]
[Union(8, typeof(RunEnded))]
public abstract record RunEvent;

/// <summary>The run begins, or goes on after it had ended.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record RunStarted : RunEvent
{
    public required string Run { get; init; }

    public required RunSpec Spec { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Floating-point operations that one image of a step takes, forward and backward; null in events of older versions.</summary>
    public double? FlopsPerImage { get; init; }

    public required int TrainImages { get; init; }

    public required int TestImages { get; init; }

    public required int Channels { get; init; }

    public required int Size { get; init; }

    /// <summary>Committed steps when the run begins, or goes on.</summary>
    public required long FirstStep { get; init; }

    /// <summary>Steps that use each training image once; a fraction, because epochs need not end with a step.</summary>
    public required double StepsPerEpoch { get; init; }

    /// <summary>Step count at which the run ends.</summary>
    public required long TotalSteps { get; init; }
}

/// <summary>No worker is free for the run; it goes on when one is.</summary>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record WorkersAwaited(long Step) : RunEvent;

/// <summary>Why a generation took the place of the one before, or was the first.</summary>
public enum GenerationCause { Begun, TakenOver, WorkerJoined, WorkerLeft, WorkerLost, WorkerFailed, StoodStill }

/// <summary>The run goes on after <see cref="Step"/> committed steps with a fixed set of workers.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record GenerationOpened : RunEvent
{
    public required long Step { get; init; }

    public required int Generation { get; init; }

    public required IReadOnlyList<string> Workers { get; init; }

    public required int WorkersWanted { get; init; }

    /// <summary>Why the set is a new one, for people.</summary>
    public required string Cause { get; init; }

    /// <summary>Steps that some worker had worked on and that are done again.</summary>
    public required long StepsRedone { get; init; }

    /// <summary>From the moment that ended the generation before, or the run's begin, to now.</summary>
    public required double Seconds { get; init; }

    /// <summary>Why the set is a new one. Older histories do not say it.</summary>
    public GenerationCause Kind { get; init; }
}

/// <summary>One optimiser step that every worker could apply.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record StepCommitted : RunEvent
{
    /// <summary>Committed steps so far.</summary>
    public required long Step { get; init; }

    public required double Epoch { get; init; }

    /// <summary>Training objective in bits/dim; null for energy distance, which has none.</summary>
    public double? BitsPerDim { get; init; }

    /// <summary>Training objective per image, in nats for likelihoods.</summary>
    public required double Loss { get; init; }

    public required double GradientNorm { get; init; }

    public required double LearningRate { get; init; }

    public required double ImagesPerS { get; init; }

    public required int Workers { get; init; }

    public required int Generation { get; init; }

    /// <summary>The gradient was not finite, so the parameters did not move.</summary>
    public bool Skipped { get; init; }

    /// <summary>Norm of the gradient of the mean over all pixels' channels, which is what other trainers tell.</summary>
    public double GradientNormPerDim { get; init; }
}

/// <summary>The Polyak average was scored on the test images.</summary>
/// <param name="TestBitsPerDim">Plain likelihood in bits/dim; null for energy distance.</param>
/// <param name="TestLoss">Per image: nats, or the energy distance.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record Evaluated(long Step, double Epoch, double? TestBitsPerDim, double TestLoss, int Images, double Seconds) : RunEvent;

/// <summary>A whole checkpoint lies at <paramref name="Path"/>.</summary>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record CheckpointSaved(long Step, string Path, long Bytes, string StateHash) : RunEvent;

/// <summary>Images were sampled and their picture written to <paramref name="Path"/>.</summary>
/// <param name="Pixels">The images, [Count, Channels, Size, Size] bytes; not part of the JSON form.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record SamplesWritten(
    long Step, string Path, int Count, int Channels, int Size, [property: JsonIgnore] byte[] Pixels) : RunEvent
{
    /// <exception cref="ArgumentException">The event does not have so many pixels, and what is drawn is as large as it says.</exception>
    public ImageStack Images() =>
        Count > 0 && Channels is 1 or 3 && Size > 0 && Pixels?.Length == (Int128)Count * Channels * Size * Size
        ? new(Pixels, Count, Channels, Size)
        : throw new ArgumentException($"{Pixels?.Length} bytes are not {Count} images of {Size}x{Size} pixels with {Channels} channels.");
}

/// <summary>Something failed; the run goes on, or the next event says that it ended.</summary>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record FaultNoticed(long Step, string? Worker, string Message) : RunEvent;

public enum RunOutcome { Completed, Stopped, Failed }

/// <summary>The last event of every run.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record RunEnded : RunEvent
{
    public required RunOutcome Outcome { get; init; }

    public required long Step { get; init; }

    /// <summary>Of all workers' state, which is the same; null if the run failed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? StateHash { get; init; }

    /// <summary>At this very step; null if it was not scored.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public double? TestBitsPerDim { get; init; }

    public required double ImagesPerS { get; init; }

    /// <summary>Path of the newest.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Path of the newest picture.</summary>
    public string? Samples { get; init; }

    /// <summary>For <see cref="RunOutcome.Failed"/>: what failed.</summary>
    public string? Error { get; init; }

    /// <summary>The failure is a mistake that the user can mend.</summary>
    public bool UserError { get; init; }

    /// <summary>Steps that faults took, and that were done again.</summary>
    public long StepsRedone { get; init; }
}

/// <summary>Events from the asked-for position on, and the position to ask for next.</summary>
/// <param name="Over">The run has ended, and nothing comes after these events unless it is resumed.</param>
[GenerateSerializer, Immutable]
public sealed record RunProgress(IReadOnlyList<RunEvent> Events, long Next, bool Over);

/// <summary>Where a run stands.</summary>
public enum RunState { Queued, Training, Completed, Stopped, Failed }

public static class RunStates
{
    /// <summary>The run has ended; it goes on only when it is resumed.</summary>
    public static bool IsOver(this RunState state) => state is RunState.Completed or RunState.Stopped or RunState.Failed;
}

/// <summary>A line of the list of runs.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record RunOverview
{
    public required string Run { get; init; }

    public required RunState State { get; init; }

    public required DataSet DataSet { get; init; }

    public required string SaveDir { get; init; }

    public required DateTimeOffset Submitted { get; init; }

    /// <summary>Committed steps.</summary>
    public required long Step { get; init; }

    /// <summary>Step count at which the run ends; null before it has begun.</summary>
    public long? TotalSteps { get; init; }

    /// <summary>Training objective of the newest step; null before the first, and for energy distance.</summary>
    public double? BitsPerDim { get; init; }

    /// <summary>The newest test score; null before the first.</summary>
    public double? TestBitsPerDim { get; init; }

    /// <summary>In the current generation; none while the run is queued or over.</summary>
    public required IReadOnlyList<string> Workers { get; init; }

    public required int WorkersWanted { get; init; }

    public required int Generation { get; init; }

    /// <summary>Why the run has failed.</summary>
    public string? Error { get; init; }

    /// <summary>Workers that the run does without for a while, because their work failed.</summary>
    public IReadOnlyList<string> Unfit { get; init; } = [];
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

    /// <summary>The same for settings that a person reads and edits.</summary>
    internal static JsonSerializerOptions Config { get; } =
        new(Options) { WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.Never };

    /// <summary>A number that is not finite is null: JSON has no other word for it.</summary>
    private sealed class FiniteNumbers : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                ? double.TryParse(reader.GetString(), CultureInfo.InvariantCulture, out double number) ? number
                    : throw new JsonException("a text stands where a number should")
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
