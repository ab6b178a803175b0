namespace PixelCnnCluster.Contracts;

/// <summary>Sample images number [<see cref="First"/>, <see cref="End"/>) of a job; see <see cref="SampleJob"/>.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record SampleRowsRequest
{
    public required Guid Job { get; init; }

    public required ModelInfo Model { get; init; }

    public required int First { get; init; }

    public required int End { get; init; }

    public required ulong Seed { get; init; }

    public int? Class { get; init; }

    public double MixtureTemperature { get; init; } = 1;

    public double LogisticTemperature { get; init; } = 1;

    /// <summary>[End - First, C, H, W] bytes of which those under <see cref="Mask"/> stay; null samples whole images.</summary>
    public byte[]? Given { get; init; }

    /// <summary>[H, W]</summary>
    public bool[]? Mask { get; init; }
}

/// <param name="Rows">Rows from the asked-for one on, each [images, C, W] bytes; at least one.</param>
[GenerateSerializer, Immutable]
public sealed record SampleRowsResponse(IReadOnlyList<byte[]> Rows);

/// <summary>Score images number [<see cref="First"/>, <see cref="End"/>) of a job; see <see cref="ScoreJob"/>.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
public sealed record ScoreRequest
{
    public required Guid Job { get; init; }

    public required ModelInfo Model { get; init; }

    public required int First { get; init; }

    public required int End { get; init; }

    /// <summary>[End - First, C, H, W] bytes; null for those of <see cref="DataSet"/>.</summary>
    public byte[]? Images { get; init; }

    public int? Class { get; init; }

    public DataSetHalf? DataSet { get; init; }

    public bool Maps { get; init; }
}
