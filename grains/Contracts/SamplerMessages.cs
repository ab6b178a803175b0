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

/// <summary>
/// What can be wrong with a request to a sampler. Its device runs no others: on a GPU a class that there is not takes all work with it.
/// </summary>
public static class SamplerRequests
{
    /// <exception cref="UserErrorException">It asks for what the model does not have, or for too much.</exception>
    public static void Check(this SampleRowsRequest request) => Check(
        request.First, request.End,
        new SampleJob
        {
            Model = request.Model,
            Count = request.End - request.First,
            Seed = request.Seed,
            Class = request.Class,
            MixtureTemperature = request.MixtureTemperature,
            LogisticTemperature = request.LogisticTemperature,
            Given = request.Given is null && request.Mask is null ? null : new(request.Given ?? [], request.Mask ?? [], Each: 1),
        });

    /// <inheritdoc cref="Check(SampleRowsRequest)"/>
    public static void Check(this ScoreRequest request) => Check(
        request.First, request.End,
        new ScoreJob
        {
            Model = request.Model,
            Count = request.End - request.First,
            Images = request.Images,
            Class = request.Class,
            DataSet = request.DataSet,
        });

    private static void Check(int first, int end, Job part)
    {
        if (first < 0 || end <= first || end - first > JobValidation.MostAtOnce)
            throw new UserErrorException(
                $"A part of a job cannot be images {first} up to {end}; ask for at most {JobValidation.MostAtOnce} from 0 on.");
        if (part.Validate() is [_, ..] mistakes)
            throw new UserErrorException(string.Join(' ', mistakes));
    }
}
