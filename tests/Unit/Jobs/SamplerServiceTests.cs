using CsCheck;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>A sampler samples what training sampled, in any parts, a row at a time, and as long as somebody asks.</summary>
public sealed class SamplerServiceTests : IClassFixture<SamplerServiceTests.Trained>
{
    private const int Size = 8;

    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(16), Timeout = TimeSpan.FromSeconds(60);

    private readonly Trained _trained;

    public SamplerServiceTests(Trained trained) => _trained = trained;

    [Theory]
    [InlineData(1, 1, false, Objective.Likelihood)]
    [InlineData(2, 3, true, Objective.Likelihood)]
    [InlineData(2, 1, true, Objective.EnergyDistance)]
    public async Task A_job_samples_what_training_sampled(int threads, int channels, bool classes, Objective objective)
    {
        TinyRun run = _trained.For(TinyRun.Small with
        {
            Model = TinyRun.Small.Model with { ClassConditional = classes, Objective = objective },
            Optimiser = TinyRun.Small.Optimiser with { Seed = 7 },
        }, channels);
        using JobDevice device = new(run, threads);
        Assert.Equal(run.On(() => run.Replica.Sample(0, 5)), await device.SampleAsync(device.Order(0, 5)));
        Assert.Equal(run.On(() => run.Replica.Sample(3, 4)), await device.SampleAsync(device.Order(3, 4)));
    }

    [Fact]
    public async Task Any_partition_gives_the_same_images()
    {
        const int Images = 6;
        TinyRun run = _trained.For(TinyRun.Small);
        using JobDevice device = new(run, threadCount: 2);
        int bytes = device.Model.ImageBytes;
        byte[] whole = await device.SampleAsync(device.Order(0, Images));
        await Gen.Int[1, Images - 1].HashSet[0, 4].SampleAsync(
            async cuts =>
            {
                int[] ends = [0, .. cuts.Order(), Images];
                byte[][] parts = await Task.WhenAll(ends.Zip(ends.Skip(1), (first, end) => device.SampleAsync(device.Order(first, end))));
                return parts.SelectMany(part => part).SequenceEqual(whole);
            },
            iter: 10,
            threads: 1);
        Assert.NotEqual(whole[..bytes], whole[bytes..(2 * bytes)]);
    }

    [Fact]
    public async Task A_repeated_call_gives_the_rows_again_from_any_on_and_samples_none_twice()
    {
        TinyRun run = _trained.For(TinyRun.Small);
        using JobDevice device = new(run);
        SampleRowsRequest request = device.Order(0, 2);
        await device.SampleAsync(request);
        IReadOnlyList<byte[]> all = (await device.Sampler.SampleAsync(request, 0)).Rows;
        Assert.Equal(Size, all.Count);
        for (int from = 0; from < Size; from++)
            Assert.Equal(all.Skip(from), (await device.Sampler.SampleAsync(request, from)).Rows);
        Assert.Equal(Size, device.Watched.Rows);
        // Another sampler that goes on where one was lost.
        Assert.Equal(all[5], (await device.Sampler.SampleAsync(request with { Job = Guid.NewGuid() }, 5)).Rows[0]);
    }

    /// <summary>As when a job is begun again on fewer samplers.</summary>
    [Fact]
    public async Task A_job_that_is_cut_anew_gets_rows_and_scores_of_all_its_images()
    {
        TinyRun run = _trained.For(TinyRun.Small);
        using JobDevice device = new(run);
        SampleRowsRequest narrow = device.Order(0, 2), wide = narrow with { End = 3 };
        await device.SampleAsync(narrow);
        Assert.Equal(await device.SampleAsync(wide with { Job = Guid.NewGuid() }), await device.SampleAsync(wide));
        ScoreRequest two = new() { Job = Guid.NewGuid(), Model = device.Model, First = 0, End = 2, Images = new byte[2 * Size * Size] };
        Assert.Equal(2, (await device.Sampler.ScoreAsync(two)).Bits.Length);
        Assert.Equal(3, (await device.Sampler.ScoreAsync(two with { End = 3, Images = new byte[3 * Size * Size] })).Bits.Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Given_pixels_stay_and_the_others_are_sampled(int channels)
    {
        TinyRun run = _trained.For(TinyRun.Small, channels);
        using JobDevice device = new(run, threadCount: 2);
        SampleRowsRequest request = device.Order(4, 7);
        byte[] given = new byte[3 * device.Model.ImageBytes];
        new Random(1).NextBytes(given);
        bool[] mask = [.. Enumerable.Range(0, Size * Size).Select(i => i % Size < 4)];
        byte[] drawn = await device.SampleAsync(request with { Given = given, Mask = mask }),
            free = await device.SampleAsync(request with { Job = Guid.NewGuid() });
        int[] kept = [.. Enumerable.Range(0, given.Length).Where(i => mask[i % mask.Length])];
        Assert.Equal(kept.Select(i => given[i]), kept.Select(i => drawn[i]));
        Assert.InRange(Enumerable.Range(0, given.Length).Except(kept).Count(i => given[i] != drawn[i]), given.Length / 4, given.Length);
        Assert.NotEqual(free, drawn);
        int bytes = device.Model.ImageBytes;
        Assert.Equal(
            drawn[bytes..(2 * bytes)],
            await device.SampleAsync(device.Order(5, 6) with { Given = given[bytes..(2 * bytes)], Mask = mask }));
    }

    [Fact]
    public async Task The_class_and_the_temperatures_are_those_of_the_order()
    {
        TinyRun run = _trained.For(TinyRun.Small with { Model = TinyRun.Small.Model with { ClassConditional = true } });
        using JobDevice device = new(run);
        SampleRowsRequest request = device.Order(0, 2);
        int bytes = device.Model.ImageBytes;
        byte[] turns = await device.SampleAsync(request), ones = await SampleAsync(request with { Class = 1 }),
            noughts = await SampleAsync(request with { Class = 0 });
        Assert.Equal(turns, noughts[..bytes].Concat(ones[bytes..]));
        Assert.NotEqual(ones, noughts);
        Assert.NotEqual(turns, await SampleAsync(request with { MixtureTemperature = 0, LogisticTemperature = 0 }));

        Task<byte[]> SampleAsync(SampleRowsRequest other) => device.SampleAsync(other with { Job = Guid.NewGuid() });
    }

    [Fact]
    public async Task Other_work_comes_to_the_device_between_rows()
    {
        TinyRun run = _trained.For(TinyRun.Small);
        using JobDevice device = new(run);
        List<string> order = [];
        List<Task> steps = [];
        device.Watched.Sampled = row =>
        {
            order.Add("row");
            // Comes while the row is sampled.
            steps.Add(device.Watched.RunAsync(() =>
            {
                order.Add("step");
                return 0;
            }));
        };
        await device.SampleAsync(device.Order(0, 1));
        await Task.WhenAll(steps).SoonAsync("end of the steps");
        Assert.Equal(Enumerable.Range(0, 2 * Size).Select(i => i % 2 == 0 ? "row" : "step"), order);
    }

    [Fact]
    public async Task A_drawing_does_not_need_its_model_any_more_when_another_is_loaded()
    {
        TinyRun run = _trained.For(TinyRun.Small), other = _trained.For(TinyRun.Small with
        {
            Optimiser = TinyRun.Small.Optimiser with { Seed = 3 },
        });
        using JobDevice device = new(run, threadCount: 2);
        ModelInfo second = device.Write(other, "two.safetensors");
        Task<byte[]>? between = null;
        device.Watched.Sampled = row => between ??= device.SampleAsync(
            device.Order(0, 2) with { Model = second, Seed = second.Spec.Optimiser.Seed });
        Assert.Equal(run.On(() => run.Replica.Sample(0, 2)), await device.SampleAsync(device.Order(0, 2)));
        Assert.Equal(other.On(() => other.Replica.Sample(0, 2)), await between!);
    }

    [Fact]
    public async Task A_drawing_that_nobody_asks_for_stops_and_is_done_anew_when_somebody_does()
    {
        TinyRun run = _trained.For(TinyRun.Small);
        using JobDevice device = new(run);
        SampleRowsRequest request = device.Order(0, 2);
        TaskCompletionSource asked = new();
        device.Watched.Sampled = row =>
        {
            Assert.True(asked.Task.Wait(Timeout), "Nobody asked for a row.");
            if (row == 3)
                device.Time.Pass(IdleTimeout);
        };
        Task<SampleRowsResponse> answer = device.Sampler.SampleAsync(request, 5);
        asked.SetResult();
        await Assert.ThrowsAsync<StaleOrderException>(() => answer.SoonAsync("answer of the sampling"));
        Assert.Equal(3, device.Watched.Rows);
        // As if somebody had asked a moment before the sampling was given up.
        device.Time.Pass(-IdleTimeout);
        Assert.Equal(run.On(() => run.Replica.Sample(0, 2)), await device.SampleAsync(request).SoonAsync("new sampling"));
        Assert.Equal(3 + Size, device.Watched.Rows);
    }

    /// <summary>Runs of two steps, each trained once for all tests.</summary>
    public sealed class Trained : IDisposable
    {
        private readonly Dictionary<(RunSpec Spec, int Channels), TinyRun> _runs = [];

        internal TinyRun For(RunSpec spec, int channels = 1)
        {
            if (!_runs.TryGetValue((spec, channels), out TinyRun? run))
            {
                _runs[(spec, channels)] = run = TinyRun.Start(spec, channels: channels);
                run.Steps(2);
            }

            return run;
        }

        public void Dispose()
        {
            foreach (TinyRun run in _runs.Values)
                run.Dispose();
        }
    }
}
