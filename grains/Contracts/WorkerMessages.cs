using System.Globalization;
using System.Text.Json.Serialization;

namespace PixelCnnCluster.Contracts;

/// <summary>
/// One opening of a generation. It goes with every order: a store that has lost what it had acknowledged may give a number twice, but no
/// two openings have the same nonce.
/// </summary>
[GenerateSerializer, Immutable]
public readonly record struct GenerationId(int Number, Guid Nonce)
{
    /// <summary>The number alone, which is what people are told.</summary>
    public override string ToString() => Number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A generation is about to begin: say what you hold.</summary>
/// <param name="OnlyIfServing">For a worker that leaves the run, and whose state is still needed: refuse if you do not serve the run any
/// more.</param>
[GenerateSerializer, Immutable]
public sealed record PrepareRequest(string Run, GenerationId Generation, RunSpec Spec, bool OnlyIfServing);

/// <summary>What a worker holds of a run.</summary>
/// <param name="Step">Steps that its state has applied; null if it has no state.</param>
/// <param name="Checkpoint">Steps of the newest checkpoint that it finds in the run's folder; null when there is none.</param>
[GenerateSerializer, Immutable]
public sealed record PrepareResponse(string Worker, long? Step, long? Checkpoint)
{
    /// <summary>How the worker rounds: those whose gradients have the same bits say the same.</summary>
    [Id(0)]
    public string Arithmetic { get; init; } = "";

    /// <summary>What images the worker has; the same for all that train a run.</summary>
    [Id(1)]
    public string Data { get; init; } = "";
}

/// <summary>Who takes part in a generation. The position in <see cref="Workers"/> decides which shards are whose.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record JoinRequest
{
    public required string Run { get; init; }

    public required GenerationId Generation { get; init; }

    public required IReadOnlyList<string> Workers { get; init; }

    public required RunSpec Spec { get; init; }

    /// <summary>
    /// Committed steps when the generation begins; null leaves it to the worker, which loads the newest whole checkpoint if that is further
    /// than its state, or begins afresh.
    /// </summary>
    public required long? Step { get; init; }

    /// <summary>Worker to copy the state from; null for one that has it or makes it.</summary>
    public required string? Source { get; init; }

    /// <summary>The run has written checkpoints: without one, the worker does not begin afresh.</summary>
    public required bool MustLoad { get; init; }
}

/// <summary>What a worker holds when it has joined.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record JoinResponse
{
    public required string Worker { get; init; }

    /// <summary>Steps that its state has applied.</summary>
    public required long Step { get; init; }

    /// <summary>See <see cref="StepResponse"/>.</summary>
    public required int SkippedInARow { get; init; }

    /// <summary>Images that the steps have used.</summary>
    public required long Images { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Floating-point operations that one image of a step takes, forward and backward.</summary>
    public double FlopsPerImage { get; init; }

    public required int TrainImages { get; init; }

    public required int TestImages { get; init; }

    public required int Channels { get; init; }

    public required int Size { get; init; }

    /// <summary>Of the whole state; the same for all workers of a generation.</summary>
    public required string StateHash { get; init; }

    /// <summary>Checkpoints that were damaged, with the reason.</summary>
    public required IReadOnlyList<string> Refused { get; init; }
}

/// <summary>Which bytes of the state after <paramref name="Step"/> committed steps a peer wants.</summary>
[GenerateSerializer, Immutable]
public sealed record StateRequest(string Run, GenerationId Generation, long Step, long Offset, int Length);

/// <param name="SkippedInARow">See <see cref="StepResponse"/>; belongs to the state like its bytes.</param>
/// <param name="Images">That the steps have used; belongs to the state as well.</param>
[GenerateSerializer, Immutable]
public sealed record StateResponse([property: Immutable] ReadOnlyMemory<byte> Data, int SkippedInARow, long Images);

/// <summary>After <paramref name="Step"/> committed steps, do the work of the next.</summary>
/// <param name="PrefetchNext">The next step's order is to follow at once: the worker computes its shards of that step before the order
/// comes.</param>
[GenerateSerializer, Immutable]
public sealed record StepRequest(string Run, GenerationId Generation, long Step, bool PrefetchNext = false);

/// <summary>The worker holds the whole gradient of the step, and applies it now.</summary>
/// <param name="GradientNorm">Euclidean norm of the whole gradient; not finite if any part of it is not.</param>
/// <param name="SkippedInARow">Steps up to and including this one whose gradient was not finite, counted back to the last that was.</param>
/// <param name="ShardLosses">Loss of each of the worker's shards in shard order, nats (or energy distance), summed over the shard's
/// images.</param>
[GenerateSerializer, Immutable]
public sealed record StepResponse(string Worker, long Step, IReadOnlyList<double> ShardLosses, double GradientNorm, int SkippedInARow);

/// <summary>
/// Score test batches [<paramref name="FirstBatch"/>, <paramref name="EndBatch"/>) after <paramref name="Step"/> committed steps.
/// </summary>
[GenerateSerializer, Immutable]
public sealed record EvaluateRequest(string Run, GenerationId Generation, long Step, int FirstBatch, int EndBatch);

/// <param name="BatchLosses">Loss of each batch, summed over its images.</param>
[GenerateSerializer, Immutable]
public sealed record EvaluateResponse(IReadOnlyList<double> BatchLosses);

[GenerateSerializer, Immutable]
public sealed record CheckpointRequest(string Run, GenerationId Generation, long Step, double? TestBitsPerDim);

[GenerateSerializer, Immutable]
public sealed record CheckpointResponse(string Path, long Bytes, string StateHash)
{
    /// <summary>The state had run out of the numbers: nobody goes on from it.</summary>
    [Id(0)]
    public bool IsDiverged { get; init; }

    /// <summary>The folder's checkpoint to go on from if this one has diverged; null if there is none.</summary>
    [Id(1)]
    public string? NewestGood { get; init; }
}

/// <summary>Add a test score to a checkpoint that is written.</summary>
[GenerateSerializer, Immutable]
public sealed record AddScoreRequest(string Run, GenerationId Generation, long Step, string Checkpoint, double TestBitsPerDim);

/// <summary>Sample images number [<paramref name="First"/>, <paramref name="End"/>) of the run's sample picture.</summary>
[GenerateSerializer, Immutable]
public sealed record SampleRequest(string Run, GenerationId Generation, long Step, int First, int End);

/// <param name="Pixels">[End - First, Channels, Size, Size] bytes.</param>
[GenerateSerializer, Immutable]
public sealed record SampleResponse(byte[] Pixels);

/// <summary>What a worker is at. In JSON evaluating is called scoring and sampling drawing, as ever.</summary>
public enum WorkerPhase
{
    Idle,
    Loading,
    Waiting,
    Computing,
    Exchanging,

    [JsonStringEnumMemberName("scoring")]
    Evaluating,

    [JsonStringEnumMemberName("drawing")]
    Sampling,

    Unreachable,
}

/// <param name="Device">What the worker computes on.</param>
/// <param name="Run">The run that it is assigned to or holds a replica of; null when it stands by.</param>
[GenerateSerializer, Immutable]
public sealed record WorkerStatus(string Worker, string Device, string? Run, int Generation, long Step, WorkerPhase Phase)
{
    /// <summary>For how long the device has been at what it does now, whosever work that is; 0 when it has nothing to do.</summary>
    [Id(0)]
    public double BusySeconds { get; init; }
}
