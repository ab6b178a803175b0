using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Unit.Tests.Jobs;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Strangers;

/// <summary>Whoever may call a grain may send it anything; what cannot be is refused where it arrives, before memory is taken.</summary>
public sealed class RequestTests : IDisposable
{
    private readonly TinyRun _run = TinyRun.Start(
        TinyRun.Small with { Model = TinyRun.Small.Model with { ClassConditional = true } });
    private readonly JobDevice _device;

    public RequestTests() => _device = new(_run);

    [Fact]
    public void A_sampler_refuses_what_its_model_does_not_have_and_what_is_too_much()
    {
        SampleRowsRequest right = _device.Order(0, 2);
        (SampleRowsRequest Request, int From, string Part)[] wrong =
        [
            (right with { Class = 2 }, 0, "--class is 2; give a class from 0 to 1."),
            (right with { Class = -1 }, 0, "--class is -1;"),
            (right with { End = 1_000_000_000 }, 0, "cannot be images 0 up to 1000000000; ask for at most 4096 from 0 on."),
            (right with { First = int.MinValue, End = int.MaxValue }, 0, "cannot be images -2147483648"),
            (right with { First = 2 }, 0, "cannot be images 2 up to 2"),
            (right with { LogisticTemperature = double.NaN }, 0, "--logistic-temperature is NaN"),
            (right with { Given = new byte[128] }, 0, "The given images are not 2"),
            (right with { Mask = new bool[64] }, 0, "The given images are not 2"),
            (right with { Given = new byte[128], Mask = new bool[63] }, 0, "The given images are not 2"),
            (right, 8, "There is no row 8"),
            (right, -1, "There is no row -1"),
        ];
        Assert.All(wrong, each => Refuse(() => _device.Sampler.SampleAsync(each.Request, each.From), each.Part));

        var score = new ScoreRequest
        {
            Job = Guid.NewGuid(),
            Model = _device.Model,
            First = 0,
            End = 2,
            Images = new byte[128],
            Class = 1,
        };
        (ScoreRequest Request, string Part)[] wrongScores =
        [
            (score with { Class = 2 }, "--class is 2;"),
            (score with { End = 3 }, "The images are not 3"),
            (score with { Images = null }, "Give either images or a data set"),
            (score with { DataSet = new(DataSet.Digits, "", false) }, "Give either images or a data set"),
            (score with { End = int.MaxValue, Images = null, Class = null, DataSet = new(DataSet.Digits, "", false) }, "at most 4096"),
        ];
        Assert.All(wrongScores, each => Refuse(() => _device.Sampler.ScoreAsync(each.Request), each.Part));
    }

    [Fact]
    public async Task A_sampler_has_a_number_of_parts_at_a_time()
    {
        TaskCompletionSource go = new();
        Task<int> busy = _device.Watched.RunAsync(() =>
        {
            go.Task.Wait();
            return 0;
        });
        Task[] parts = [.. Enumerable.Range(0, 256).Select(_ => _device.Sampler.SampleAsync(_device.Order(0, 1), 0))];

        Refuse(() => _device.Sampler.SampleAsync(_device.Order(0, 1), 0), "256 parts of jobs are sampled here already");

        go.SetResult();
        await busy;
        await Task.WhenAll(parts);
    }

    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(0, 3)]
    [InlineData(2, 4)]
    [InlineData(-4, 4)]
    [InlineData(1L << 50, 4)]
    [InlineData(0, -4)]
    public void A_state_has_only_the_bytes_that_it_has(long offset, int length) =>
        Assert.Throws<ArgumentException>(() => _run.On(() => _run.Replica.ReadState(offset, length)));

    [Fact]
    public void A_replica_scores_and_samples_only_what_there_is()
    {
        ReplicaFacts facts = _run.Replica.Facts;
        int batches = (facts.TestImages + _run.Spec.Optimiser.BatchSize - 1) / _run.Spec.Optimiser.BatchSize;
        Assert.Equal(batches, _run.On(() => _run.Replica.Evaluate(0, batches)).Length);
        Assert.All(
            [(0, batches + 1), (-1, 1), (2, 1), (0, int.MaxValue)],
            range => Assert.Throws<ArgumentException>(() => _run.On(() => _run.Replica.Evaluate(range.Item1, range.Item2))));
        Assert.All(
            [(0, int.MaxValue), (-1, 1), (2, 1)],
            range => Assert.Throws<ArgumentException>(() => _run.On(() => _run.Replica.Sample(range.Item1, range.Item2))));
    }

    public void Dispose()
    {
        _device.Dispose();
        _run.Dispose();
    }

    private static void Refuse(Func<Task> ask, string part)
    {
        long before = GC.GetTotalAllocatedBytes();
        // Refused at once, not when the device comes to it.
        string message = Assert.Throws<UserErrorException>(() => { _ = ask(); }).Message;
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 10 << 20);
    }
}
