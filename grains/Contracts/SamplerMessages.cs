namespace PixelCnnCluster.Contracts;

/// <summary>Sample images number [<paramref name="First"/>, <paramref name="End"/>) of a job; see <see cref="SampleJob"/>.</summary>
/// <param name="Given">[End - First, C, H, W] bytes of which those under <paramref name="Mask"/> stay; null samples whole images.</param>
/// <param name="Mask">[H, W]</param>
[GenerateSerializer, Immutable]
public sealed record SampleRowsRequest(
    Guid Job, ModelInfo Model, int First, int End, ulong Seed, int? Class, double MixtureTemperature, double LogisticTemperature,
    byte[]? Given, bool[]? Mask);

/// <param name="Rows">Rows from the asked-for one on, each [images, C, W] bytes; at least one.</param>
[GenerateSerializer, Immutable]
public sealed record SampleRowsResponse(IReadOnlyList<byte[]> Rows);

/// <summary>Score images number [<paramref name="First"/>, <paramref name="End"/>) of a job; see <see cref="ScoreJob"/>.</summary>
/// <param name="Images">[End - First, C, H, W] bytes; null for those of <paramref name="DataSet"/>.</param>
[GenerateSerializer, Immutable]
public sealed record ScoreRequest(
    Guid Job, ModelInfo Model, int First, int End, byte[]? Images, int? Class, DataSetHalf? DataSet, bool Maps);
