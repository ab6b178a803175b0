using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.State;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// A replica whose state is a chain of hashes of the gradients it has applied: it is right after t steps if and only if each of them
/// summed every shard exactly once, along the tree.
/// </summary>
internal sealed class SimulatedReplica(SimulatedDisk disk, Action<SimulatedReplica> changed) : IReplica
{
    public const int StepWithoutFiniteGradient = 7, TrainImages = 200;

    private const int Words = 4;

    private readonly ulong[] _state = new ulong[Words];

    public ReplicaFacts Facts => new(Words, TrainImages, TestImages: 4, Channels: 1, Size: 8) { Data = Data };

    /// <summary>What its images are.</summary>
    public string Data { get; init; } = "the usual images";

    public IReadOnlyList<int> GradientBuckets { get; } = [2, 3];

    public Memory<float> NewVector(int length) => new float[length];

    public long Step { get; private set; }

    public int SkippedInARow { get; private set; }

    public bool RoundsDifferently { get; init; }

    /// <summary>Called before shards are computed.</summary>
    public Action Computing { get; init; } = () => { };

    /// <summary>How often shards of a step were computed.</summary>
    public long Computed { get; private set; }

    /// <summary>A score or a copy of the state came after the computing of a later step.</summary>
    public bool HasKeptWaiting { get; private set; }

    /// <summary>The states after 0, 1, ... steps of a run without any trouble.</summary>
    public static string[] Reference(RunSpec spec, long steps)
    {
        var replica = new SimulatedReplica(new SimulatedDisk(), _ => { });
        replica.Start(newerThan: null, mustLoad: false);
        List<string> hashes = [replica.Hash()];
        for (long step = 0; step < steps; step++)
        {
            var alone = new GradientExchange(new(spec.Optimiser.Shards), WorkerRank.Alone, replica.GradientBuckets, spec.Compute.Wire);
            AllReduceStep round = alone.Begin(step);
            replica.ComputeShards(alone.Share, round);
            IReadOnlyList<ReadOnlyMemory<float>> gradient = round.Whole.GetAwaiter().GetResult();
            replica.Apply(gradient, replica.Measure(gradient));
            hashes.Add(replica.Hash());
        }

        return [.. hashes];
    }

    public IReadOnlyList<string> Start(long? newerThan, bool mustLoad)
    {
        (List<string> refused, SavedState? newest) = disk.NewestWhole();
        if (newerThan >= (newest?.Step ?? 0))
            return refused;
        if (newest is null && mustLoad)
            throw new IOException("There is no checkpoint.");
        (Step, SkippedInARow) = newest is null ? (0, 0) : (newest.Step, newest.SkippedInARow);
        (newest?.State ?? new ulong[Words]).CopyTo(_state, 0);
        changed(this);
        return refused;
    }

    public double[] ComputeShards(ShardRange range, AllReduceStep step)
    {
        Computing();
        Computed++;
        for (int part = GradientBuckets.Count - 1; part >= 0; part--)
        {
            for (int shard = range.First; shard < range.End; shard++)
            {
                Memory<float> vector = step.Rent(part);
                float[] gradient = Gradient(Step, shard);
                if (RoundsDifferently)
                    gradient = [.. gradient.Select(MathF.BitIncrement)];
                gradient.AsSpan(GradientBuckets.Take(part).Sum(), GradientBuckets[part]).CopyTo(vector.Span);
                step.Add(part, shard, vector);
            }
        }

        return [.. Enumerable.Repeat(1.0, range.Count)];
    }

    public GradientMeasure Measure(IReadOnlyList<ReadOnlyMemory<float>> gradient) =>
        GradientMeasure.Of(Whole(gradient).Sum(), SkippedInARow);

    public void Apply(IReadOnlyList<ReadOnlyMemory<float>> gradient, GradientMeasure measure)
    {
        float[] whole = Whole(gradient);
        for (int word = 0; !measure.IsSkipped && word < Words; word++)
        {
            _state[word] = whole.Aggregate(
                _state[word] + (ulong)word, (hash, value) => (hash ^ BitConverter.SingleToUInt32Bits(value)) * 0x9E3779B97F4A7C15 + 1);
        }

        SkippedInARow = measure.SkippedInARow;
        Step++;
        changed(this);
    }

    public string Hash() => $"{Step}:{SkippedInARow}:{string.Join('.', _state)}";

    public IEnumerable<(long Offset, int Length)> StateSlices(int longest) => Enumerable.Range(0, Words).Select(word => ((long)word, 8));

    public byte[] ReadState(long offset, int length) => BitConverter.GetBytes(_state[offset]);

    public void WriteState(long offset, ReadOnlySpan<byte> bytes) => _state[offset] = BitConverter.ToUInt64(bytes);

    public long Images => Step * Schedule.Spec.Optimiser.ImagesPerStep;

    public void StartAt(long step, int skippedInARow, long images)
    {
        (Step, SkippedInARow) = (step, skippedInARow);
        changed(this);
    }

    public double[] Evaluate(int firstBatch, int endBatch)
    {
        HasKeptWaiting |= Computed > Step;
        return new double[endBatch - firstBatch];
    }

    public byte[] Sample(int first, int end) => new byte[(end - first) * Facts.Channels * Facts.Size * Facts.Size];

    public Func<CheckpointResponse> Snapshot(string run, double? testBitsPerDim)
    {
        HasKeptWaiting |= Computed > Step;
        var copy = new SavedState(Step, SkippedInARow, [.. _state]);
        string hash = Hash();
        return () => disk.Save(copy, hash);
    }

    public bool IsDisposed { get; private set; }

    public void Dispose() => IsDisposed = true;

    private static float[] Whole(IReadOnlyList<ReadOnlyMemory<float>> buckets) => [.. buckets.SelectMany(bucket => bucket.ToArray())];

    /// <summary>Numbers whose sum depends on the order of summation.</summary>
    private static float[] Gradient(long step, int shard)
    {
        var random = new Random((int)(step * 1000) + shard);
        float[] gradient = [.. Enumerable.Range(0, 5).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-6, 6)))];
        if (step == StepWithoutFiniteGradient && shard == 1)
            gradient[0] = float.NaN;
        return gradient;
    }
}

internal sealed record SavedState(long Step, int SkippedInARow, ulong[] State);

/// <summary>The run's folder, which all nodes share: it may be full, and files may be damaged.</summary>
internal sealed class SimulatedDisk
{
    private readonly SortedDictionary<long, SavedState?> _files = [];

    public bool IsFull { get; set; }

    /// <summary>The volume is not mounted.</summary>
    public bool IsMissing { get; set; }

    public long? Newest => IsMissing || _files.Count == 0 ? null : _files.Keys.Last();

    /// <summary>Of the newest file that is not damaged, whether or not it can be seen; 0 without one.</summary>
    public long NewestWholeStep => _files.LastOrDefault(file => file.Value is not null).Key;

    public CheckpointResponse Save(SavedState state, string hash)
    {
        if (IsMissing)
            throw new DirectoryNotFoundException("The folder is not there.");
        if (IsFull)
            throw new IOException("No space left on device");
        _files[state.Step] = state;
        return new($"{state.Step}", 32, hash);
    }

    public void DamageNewest()
    {
        if (_files.Count > 1)
            _files[_files.Keys.Last()] = null;
    }

    public (List<string> Refused, SavedState? Newest) NewestWhole()
    {
        List<string> refused = [];
        if (IsMissing)
            return (refused, null);
        foreach ((long step, SavedState? file) in _files.Reverse())
        {
            if (file is not null)
                return (refused, file);
            refused.Add($"step {step} is damaged");
        }

        return (refused, null);
    }
}
