namespace PixelCnnCluster.Contracts;

/// <summary>Work with a trained model that a cluster's samplers share out.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public abstract record Job
{
    public required ModelInfo Model { get; init; }

    /// <summary>Images.</summary>
    public required int Count { get; init; }

    /// <summary>Images that a sampler takes at once; null leaves it to the cluster. The results do not depend on it.</summary>
    public int? Batch { get; init; }
}

/// <summary>
/// Images to sample. Image number i is a function of the model, the seed, i, its class and the temperatures.
/// </summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record SampleJob : Job
{
    public required ulong Seed { get; init; }

    /// <summary>Class of all of them; null has a class-conditional model's classes take turns.</summary>
    public int? Class { get; init; }

    /// <summary>How freely a component of each pixel's mixture is chosen: 1 as the model says, 0 the likeliest.</summary>
    public double MixtureTemperature { get; init; } = 1;

    /// <summary>Factor on the spread of each component; 0 takes its mean.</summary>
    public double LogisticTemperature { get; init; } = 1;

    /// <summary>Pixels that are not sampled; null samples whole images.</summary>
    public GivenPixels? Given { get; init; }
}

/// <summary>Parts of images to complete.</summary>
/// <param name="Images">[M, C, H, W] bytes; image number i of the job completes number i / <paramref name="Each"/> of them.</param>
/// <param name="Mask">[H, W]: true where pixels stay.</param>
/// <param name="Each">Completions of each image.</param>
[GenerateSerializer, Immutable]
public sealed record GivenPixels(byte[] Images, bool[] Mask, int Each);

/// <summary>
/// Images to score: those in the message, or else of a data set, of which <see cref="Job.Count"/> takes at most so many of the first.
/// </summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record ScoreJob : Job
{
    /// <summary>[Count, C, H, W] bytes; null for those of <see cref="DataSet"/>.</summary>
    public byte[]? Images { get; init; }

    /// <summary>Class of <see cref="Images"/>, for a class-conditional model; a data set has labels.</summary>
    public int? Class { get; init; }

    public DataSetHalf? DataSet { get; init; }

    /// <summary>To tell the images and the bits of each pixel too.</summary>
    public bool Maps { get; init; }
}

/// <summary>Training or test images of a data set.</summary>
[GenerateSerializer, Immutable]
public sealed record DataSetHalf(DataSet DataSet, string DataDir, bool Train);

/// <summary>Something that happened to a job.</summary>
[GenerateSerializer, Immutable]
public abstract record JobEvent;

/// <summary>The job's images are counted.</summary>
[GenerateSerializer, Immutable]
public sealed record JobStarted(int Count) : JobEvent;

/// <summary>A row of images number [<paramref name="First"/>, <paramref name="End"/>) is finished.</summary>
/// <param name="Pixels">[End - First, C, W] bytes.</param>
[GenerateSerializer, Immutable]
public sealed record RowSampled(int First, int End, int Row, byte[] Pixels) : JobEvent;

/// <summary>Images from number <paramref name="First"/> on are scored.</summary>
/// <param name="Bits">Of each whole image.</param>
/// <param name="Maps">Null where they were not asked for.</param>
[GenerateSerializer, Immutable]
public sealed record ImagesScored(int First, double[] Bits, ScoreMaps? Maps) : JobEvent;

/// <summary>Where the bits of images went.</summary>
/// <param name="Bits">[images, H, W] bits of each pixel, all channels together.</param>
/// <param name="Pixels">[images, C, H, W] bytes.</param>
[GenerateSerializer, Immutable]
public sealed record ScoreMaps(float[] Bits, byte[] Pixels);

/// <summary>A sampler failed or was lost; others do its work.</summary>
[GenerateSerializer, Immutable]
public sealed record SamplerLost(string Sampler, string Message) : JobEvent;

/// <summary>No sampler is there; the job goes on when one is.</summary>
[GenerateSerializer, Immutable]
public sealed record SamplersAwaited : JobEvent;

/// <summary>The last event of every job.</summary>
/// <param name="Error">Why it failed; null if it is complete.</param>
/// <param name="UserError">The failure is a mistake that the user can mend.</param>
[GenerateSerializer, Immutable]
public sealed record JobEnded(string? Error, bool UserError) : JobEvent;

/// <summary>Events from the asked-for position on, and the position to ask for next.</summary>
[GenerateSerializer, Immutable]
public sealed record JobProgress(IReadOnlyList<JobEvent> Events, int Next);

/// <summary>What an export wrote.</summary>
/// <param name="Step">Committed steps of the checkpoint.</param>
/// <param name="Bytes">Size of the file.</param>
[GenerateSerializer, Immutable]
public sealed record ExportedWeights(string Path, long Step, int Tensors, long Bytes);
