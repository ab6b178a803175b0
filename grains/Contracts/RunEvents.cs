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
/// <param name="StepsPerEpoch">Steps that use each training image once; a fraction, because epochs need not end with a step.</param>
/// <param name="TotalSteps">Step count at which the run ends.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record RunStarted(
    string Run, RunSpec Spec, long Parameters, int TrainImages, int TestImages, int Channels, int Size,
    long FirstStep, double StepsPerEpoch, long TotalSteps) : RunEvent;

/// <summary>No worker is free for the run; it goes on when one is.</summary>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record WorkersAwaited(long Step) : RunEvent;

/// <summary>Why a generation took the place of the one before, or was the first.</summary>
public enum GenerationCause { Begun, TakenOver, WorkerJoined, WorkerLeft, WorkerLost, WorkerFailed, StoodStill }

/// <summary>The run goes on after <paramref name="Step"/> committed steps with a fixed set of workers.</summary>
/// <param name="Cause">Why the set is a new one, for people.</param>
/// <param name="StepsRedone">Steps that some worker had worked on and that are done again.</param>
/// <param name="Seconds">From the moment that ended the generation before, or the run's begin, to now.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record GenerationOpened(
    long Step, int Generation, IReadOnlyList<string> Workers, int WorkersWanted, string Cause, long StepsRedone, double Seconds,
    GenerationCause Kind = GenerationCause.Begun) : RunEvent;

/// <summary>One optimiser step that every worker could apply.</summary>
/// <param name="Step">Committed steps so far.</param>
/// <param name="BitsPerDim">Training objective in bits/dim; null for energy distance, which has none.</param>
/// <param name="Loss">Training objective per image, in nats for likelihoods.</param>
/// <param name="Skipped">The gradient was not finite, so the parameters did not move.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record StepCommitted(
    long Step, double Epoch, double? BitsPerDim, double Loss, double GradientNorm, double LearningRate,
    double ImagesPerS, int Workers, int Generation, bool Skipped) : RunEvent
{
    /// <summary>Norm of the gradient of the mean over all pixels' channels, which is what other trainers tell.</summary>
    [Id(0)]
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
    public ImageStack Images() => new(Pixels, Count, Channels, Size);
}

/// <summary>Something failed; the run goes on, or the next event says that it ended.</summary>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record FaultNoticed(long Step, string? Worker, string Message) : RunEvent;

public enum RunOutcome { Completed, Stopped, Failed }

/// <summary>The last event of every run.</summary>
/// <param name="StateHash">Of all workers' state, which is the same; null if the run failed.</param>
/// <param name="TestBitsPerDim">At this very step; null if it was not scored.</param>
/// <param name="Error">For <see cref="RunOutcome.Failed"/>: what failed.</param>
/// <param name="UserError">The failure is a mistake that the user can mend.</param>
[GenerateSerializer, Immutable, MessagePackObject(keyAsPropertyName: true)]
public sealed record RunEnded(
    RunOutcome Outcome, long Step,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? StateHash,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] double? TestBitsPerDim,
    double ImagesPerS,
    string? Checkpoint, string? Samples, string? Error, bool UserError) : RunEvent
{
    /// <summary>Steps that faults took, and that were done again.</summary>
    [Id(0)]
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
/// <param name="Workers">In the current generation; none while the run is queued or over.</param>
/// <param name="BitsPerDim">Training objective of the newest step; null before the first, and for energy distance.</param>
/// <param name="Error">Why the run has failed.</param>
[GenerateSerializer, Immutable]
public sealed record RunOverview(
    string Run, RunState State, DataSet DataSet, string SaveDir, DateTimeOffset Submitted, long Step, long? TotalSteps, double? BitsPerDim,
    double? TestBitsPerDim,
    IReadOnlyList<string> Workers, int WorkersWanted, int Generation, string? Error)
{
    /// <summary>Workers that the run does without for a while, because their work failed.</summary>
    [Id(0)]
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
