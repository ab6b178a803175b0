using System.Text.Json.Serialization;

namespace PixelCnnCluster.Contracts;

/// <summary>What one step of a run does.</summary>
public sealed record OptimiserSpec
{
    /// <summary>Images of one shard.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>Shards of one step (nr_gpu), whatever the number of workers.</summary>
    public int Shards { get; init; } = 8;

    /// <summary>Images that set the weight-normalised layers' scales and biases before the first step.</summary>
    public int InitBatchSize { get; init; } = 16;

    /// <summary>
    /// Greatest norm of a step's gradient, of the mean over all pixels' channels; a longer gradient is scaled down to it. Null for none.
    /// </summary>
    public double? ClipNorm { get; init; }

    /// <summary>AdamW's weight decay; 0 for none.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Upper bound of the Polyak average's decay, which warms up as (1 + t) / (10 + t).</summary>
    public double PolyakDecay { get; init; } = 0.9995;

    /// <summary>Decides the first parameters, the order of the images and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Images of one step.</summary>
    [JsonIgnore]
    public int ImagesPerStep => BatchSize * Shards;

    /// <summary>Channels of all pixels of the images of one step.</summary>
    public double DimensionsPerStep(int channels, int size) => (double)ImagesPerStep * channels * size * size;

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Within(BatchSize, 1, 65_536, "--batch-size");
        mistakes.Within(Shards, 1, 16_384, "--shards");
        mistakes.Within(InitBatchSize, 2, 65_536, "--init-batch-size");
        mistakes.Unless(ClipNorm is null or (> 0 and < double.PositiveInfinity), $"--clip-norm is {ClipNorm}; give a number above 0.");
        mistakes.Unless(
            WeightDecay is >= 0 and < 1, $"--weight-decay is {WeightDecay}; give a number from 0 up to, not including, 1.");
        mistakes.Unless(
            PolyakDecay is >= 0 and < 1, $"--polyak-decay is {PolyakDecay}; give a factor from 0 up to, not including, 1.");
    }
}
