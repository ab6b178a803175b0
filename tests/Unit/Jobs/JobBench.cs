using PixelCnnCluster.Actors.Jobs;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Unit.Tests.Simulation;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>A job's coordinator and samplers that sample and score by formula, all in a world's time.</summary>
internal sealed class JobBench(int seed)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromHours(1);

    private readonly Dictionary<string, PretendedSampler> _samplers = [];

    public static ModelInfo Model { get; } = new()
    {
        Path = "/model",
        Run = "run",
        Step = 1,
        StateHash = "hash",
        Channels = 1,
        Size = 8,
        Spec = Presets.Quick with { Model = Presets.Quick.Model with { Objective = Objective.Likelihood } },
    };

    public World World { get; } = new(seed);

    public List<JobEvent> Events { get; } = [];

    public bool IsWanted { get; set; } = true;

    /// <summary>Called with what is told, as it is told.</summary>
    public Action<JobEvent> Told { get; set; } = _ => { };

    public JobEnded End => Assert.IsType<JobEnded>(Events[^1]);

    /// <summary>Samplers that no longer answer, or not yet.</summary>
    public HashSet<string> Absent { get; } = [];

    public PretendedSampler this[string name] => _samplers[name];

    public static SampleJob Sample(int count, int? batch = null) =>
        new() { Model = Model, Count = count, Batch = batch, Seed = 5 };

    public static ScoreJob Score(int count, int? batch = null) =>
        new()
        {
            Model = Model,
            Count = count,
            Batch = batch,
            Images = [.. Enumerable.Range(0, count * Model.ImageBytes).Select(i => (byte)(i / Model.ImageBytes))],
        };

    /// <summary>What a sampler samples of a row of images.</summary>
    public static byte[] Row(int first, int end, int row) =>
        [.. Enumerable.Range(first, end - first).SelectMany(
            image => Enumerable.Range(0, Model.Size).Select(x => (byte)((image * 37) + (row * 5) + x)))];

    public JobBench With(params IEnumerable<string> names)
    {
        foreach (string name in names)
            _samplers.Add(name, new(World));
        return this;
    }

    /// <summary>Runs the job to its end, and as long after as anything goes on that a sampler does.</summary>
    public JobBench Run(Job job)
    {
        World.Run(
            async () =>
            {
                var coordinator = new JobCoordinator(
                    Guid.Empty, job, new(() => [.. _samplers.Keys.Except(Absent)], Find, ProcessOf), Tell, World.ClockOf(() => true),
                    () => IsWanted);
                await coordinator.RunAsync();
                await World.Delay(TimeSpan.FromMinutes(1));
                return true;
            },
            Deadline,
            awaited: "end of the job");
        Assert.IsType<JobEnded>(Events[^1]);
        Assert.Single(Events.OfType<JobEnded>());
        return this;
    }

    /// <summary>Each row of each image is told once, the rows of a part in order, and every pixel is what samplers sample.</summary>
    public void AssertSampled(int count)
    {
        Assert.Equal(new JobEnded(Error: null, UserError: false), End);
        Assert.Equal(new JobStarted(count), Assert.Single(Events.OfType<JobStarted>()));
        int next = 0;
        foreach (IGrouping<(int First, int End), RowSampled> part in Events.OfType<RowSampled>().GroupBy(row => (row.First, row.End))
            .OrderBy(part => part.Key.First))
        {
            Assert.Equal(next, part.Key.First);
            next = part.Key.End;
            Assert.Equal(Enumerable.Range(0, Model.Size), part.Select(row => row.Row));
            Assert.All(part, row => Assert.Equal(Row(row.First, row.End, row.Row), row.Pixels));
        }

        Assert.Equal(count, next);
    }

    /// <summary>Each image is scored once.</summary>
    public void AssertScored(int count)
    {
        Assert.Equal(new JobEnded(Error: null, UserError: false), End);
        double[] bits = [.. Events.OfType<ImagesScored>().OrderBy(scored => scored.First).SelectMany(scored => scored.Bits)];
        Assert.Equal(Enumerable.Range(0, count).Select(image => (double)image), bits);
    }

    private PretendedSampler Find(string name) =>
        Absent.Contains(name) ? throw new OrleansException($"No silo named {name} is in the cluster.") : _samplers[name];

    private string? ProcessOf(string name) => Absent.Contains(name) ? null : name;

    private void Tell(JobEvent e)
    {
        World.Note($"{e}");
        Events.Add(e);
        Told(e);
    }
}

/// <summary>A sampler that takes its time, and fails when it is told to.</summary>
internal sealed class PretendedSampler(World world) : ISamplerGrain
{
    /// <summary>What becomes of call number i; null is an answer.</summary>
    public Func<int, Exception?> Fault { get; set; } = _ => null;

    public int Calls { get; private set; }

    public int DataSetImages { get; set; }

    /// <summary>Of one answer.</summary>
    public int MostRows { get; set; } = int.MaxValue / 2;

    /// <summary>Most milliseconds that an answer takes.</summary>
    public int LongestAnswer { get; set; } = 300;

    public async Task<SampleRowsResponse> SampleAsync(SampleRowsRequest request, int from)
    {
        await AnswerAsync();
        int end = Math.Min(world.Random.Next(from, request.Model.Size), from + MostRows - 1) + 1;
        return new([.. Enumerable.Range(from, end - from).Select(row => JobBench.Row(request.First, request.End, row))]);
    }

    /// <remarks>The images of a job are made of their numbers.</remarks>
    public async Task<ImagesScored> ScoreAsync(ScoreRequest request)
    {
        await AnswerAsync();
        IEnumerable<double> bits = request.Images is { } images
            ? images.Chunk(request.Model.ImageBytes).Select(image => (double)image.Distinct().Single())
            : Enumerable.Range(request.First, request.End - request.First).Select(image => (double)image);
        return new(request.First, [.. bits], Maps: null);
    }

    public async Task<int> CountAsync(DataSetHalf half, ModelInfo model)
    {
        await AnswerAsync();
        return DataSetImages;
    }

    private async Task AnswerAsync()
    {
        int call = Calls++;
        await world.Delay(world.Between(1, LongestAnswer));
        if (Fault(call) is { } fault)
            throw fault;
    }
}
