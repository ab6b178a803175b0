namespace PixelCnnCluster.Contracts;

/// <summary>Who takes part in a generation. The position in <paramref name="Workers"/> decides which shards are whose.</summary>
[GenerateSerializer, Immutable]
public sealed record GenerationOrder(string Run, int Generation, IReadOnlyList<string> Workers, RunSpec Spec);

/// <summary>What a worker holds when it has joined.</summary>
[GenerateSerializer, Immutable]
public sealed record JoinReport(
    string Worker, long Step, long Parameters, int TrainImages, int TestImages, int Channels, int Size);

/// <summary>Apply everything up to <paramref name="Step"/> committed steps, then do the work of step number <paramref name="Step"/>.</summary>
[GenerateSerializer, Immutable]
public sealed record StepOrder(string Run, int Generation, long Step);

/// <summary>The worker holds the whole gradient of the step.</summary>
/// <param name="GradientNorm">Euclidean norm of the whole gradient; not finite if any part of it is not.</param>
/// <param name="ShardLosses">Loss of each of the worker's shards in shard order, nats (or energy distance), summed over the shard's images.</param>
[GenerateSerializer, Immutable]
public sealed record StepReport(string Worker, long Step, IReadOnlyList<double> ShardLosses, double GradientNorm);

/// <summary>Whether a chunk is a partial sum on its way to the chunk's owner or the finished sum on its way back.</summary>
public enum ChunkKind { Partial, Finished }

/// <summary>
/// A slice of a gradient: the sum over shards [<paramref name="FirstShard"/>, <paramref name="EndShard"/>) of the floats
/// that belong to chunk number <paramref name="Chunk"/>.
/// </summary>
[GenerateSerializer, Immutable]
public sealed record GradientChunk(
    string Run, int Generation, long Step, ChunkKind Kind, int Chunk, int FirstShard, int EndShard, [property: Immutable] ReadOnlyMemory<byte> Data);

/// <summary>Score test batches [<paramref name="FirstBatch"/>, <paramref name="EndBatch"/>) after <paramref name="Step"/> committed steps.</summary>
[GenerateSerializer, Immutable]
public sealed record EvaluationOrder(string Run, int Generation, long Step, int FirstBatch, int EndBatch);

/// <param name="BatchLosses">Loss of each batch, summed over its images.</param>
[GenerateSerializer, Immutable]
public sealed record EvaluationReport(IReadOnlyList<double> BatchLosses);

[GenerateSerializer, Immutable]
public sealed record CheckpointOrder(string Run, int Generation, long Step, double? TestBitsPerDim);

[GenerateSerializer, Immutable]
public sealed record CheckpointReport(string Path, long Bytes, string StateHash);

/// <summary>Draw images number [<paramref name="First"/>, <paramref name="End"/>) of the run's sample picture.</summary>
[GenerateSerializer, Immutable]
public sealed record SampleOrder(string Run, int Generation, long Step, int First, int End);

/// <param name="Pixels">[End - First, Channels, Size, Size] bytes.</param>
[GenerateSerializer, Immutable]
public sealed record SampleReport(byte[] Pixels);
