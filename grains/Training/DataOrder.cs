using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;

namespace PixelCnnCluster.Training;

/// <summary>
/// Which images a shard of a step uses: a function of (seed, step, shard) alone. The run walks through one permutation of the
/// training set after another without a gap, so every epoch uses each image exactly once, whoever computes which shard.
/// </summary>
/// <param name="images">Of the training set.</param>
/// <param name="firstStep">Steps that were done, with batches of whatever size.</param>
/// <param name="firstImage">Images that these steps have used.</param>
public sealed class DataOrder(int images, int batchSize, int shards, ulong seed, long firstStep = 0, long firstImage = 0)
{
    /// <summary>Protects <see cref="_current"/>.</summary>
    private readonly Lock _gate = new();

    private (long Epoch, int[] Order)? _current;

    /// <summary>Epochs that are complete after <paramref name="steps"/> steps.</summary>
    public long WholeEpochsAfter(long steps) => UsedAfter(steps) / images;

    /// <summary>Whether a step completes an epoch.</summary>
    /// <param name="steps">Committed steps with it.</param>
    public bool IsEndOfEpoch(long steps) => WholeEpochsAfter(steps) > WholeEpochsAfter(steps - 1);

    /// <summary>Steps that complete <paramref name="epochs"/> epochs.</summary>
    public long StepsFor(int epochs) =>
        firstStep + ((Math.Max(0, ((long)epochs * images) - firstImage) + ((long)batchSize * shards) - 1) / ((long)batchSize * shards));

    /// <summary>Steps after which a run ends, but for its minutes.</summary>
    public long TotalSteps(RunSpec spec) => Math.Min(spec.Limits.MaxSteps ?? long.MaxValue, StepsFor(spec.Limits.MaxEpochs));

    /// <summary>Images used when <paramref name="steps"/> steps are done, in epochs.</summary>
    public double EpochsAfter(long steps) => (double)UsedAfter(steps) / images;

    /// <summary>Positions in the training set, in order; as many as a batch holds.</summary>
    public int[] ImagesOf(long step, int shard)
    {
        long first = UsedAfter(step) + ((long)shard * batchSize);
        return [.. Enumerable.Range(0, batchSize).Select(i => ImageAt(first + i))];
    }

    private long UsedAfter(long steps) => firstImage + ((steps - firstStep) * batchSize * shards);

    private int ImageAt(long position)
    {
        (long epoch, long place) = Math.DivRem(position, images);
        lock (_gate)
        {
            if (_current?.Epoch != epoch)
                _current = (epoch, Permutation(epoch));
            return _current.Value.Order[place];
        }
    }

    /// <summary>Fisher-Yates with a fresh number for each swap.</summary>
    private int[] Permutation(long epoch)
    {
        ulong epochSeed = Seeds.Derive(seed, SeedUse.DataOrder, (ulong)epoch);
        int[] order = [.. Enumerable.Range(0, images)];
        for (int i = images - 1; i > 0; i--)
        {
            int j = (int)Math.BigMul(Seeds.Derive(epochSeed, (ulong)i), (ulong)(i + 1), out _);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}

/// <summary>First step of the path from a run's seed to a use of randomness.</summary>
internal static class SeedUse
{
    public const ulong Parameters = 0, Initialisation = 1, DataOrder = 2, Step = 3, Samples = 4, Evaluation = 5;
}
