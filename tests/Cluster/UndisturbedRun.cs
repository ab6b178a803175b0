using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Faults;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Cluster.Tests;

/// <summary>
/// What <see cref="Spec"/> gives where nobody disturbs it: trained by one replica in this process, without a cluster, as far as the longest
/// run that is compared.
/// </summary>
public sealed class UndisturbedRun : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-undisturbed-").FullName;
    private readonly DeviceThreads _threads = new(1);

    /// <summary>State after each step, that before the first included. Only the device's thread reads and writes it.</summary>
    private readonly List<string> _hashes = [];

    private Replica? _replica;

    /// <summary>Some seconds of training, with checkpoints every ten steps.</summary>
    public static RunSpec Spec { get; } = SmallDigits.Spec with
    {
        Limits = SmallDigits.Spec.Limits with { MaxSteps = 30 },
        Compute = SmallDigits.Spec.Compute with { Workers = 3 },
    };

    /// <summary>The same until it is stopped.</summary>
    public static RunSpec Endless { get; } = Spec with { Limits = Spec.Limits with { MaxSteps = null } };

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _threads.RunAsync(() =>
        {
            _replica?.Dispose();
            return true;
        });
        _threads.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The run has ended in the state of an undisturbed one of as many steps, and every step was committed once.</summary>
    /// <param name="mayRepeat">All who had a state were lost, so steps since the newest checkpoint were done again.</param>
    public async Task AssertSameEndAsync(FollowedRun run, bool mayRepeat = false)
    {
        RunEnded ended = await run.EndAsync();
        Assert.True(
            ended.Outcome is RunOutcome.Completed
                or RunOutcome.Stopped, $"{ended.Error} after {string.Join(" | ", run.Events.TakeLast(10))}");
        if (ended.Outcome == RunOutcome.Completed)
            Assert.Equal(run.Spec.Limits.MaxSteps, ended.Step);
        Assert.Equal((ended.Step, await HashAsync(ended.Step)), (ended.Step, ended.StateHash!));
        if (mayRepeat)
            return;
        long[] steps = [.. run.Events.OfType<StepCommitted>().Select(step => step.Step)];
        Assert.Equal(steps.Distinct().Order(), steps);
    }

    /// <summary>Of the state after so many steps.</summary>
    public Task<string> HashAsync(long steps) => _threads.RunAsync(() => HashAfter((int)steps));

    private string HashAfter(int steps)
    {
        if (_replica is null)
        {
            _replica = new(Spec, ImageDataSets.Load(DataSet.Mnist, SmallDigits.Write(_folder), Spec.Data.ImageSize), _threads);
            _replica.Initialise();
            _hashes.Add(_replica.Hash());
        }

        var alone = new GradientExchange(new(Spec.Optimiser.Shards), WorkerRank.Alone, _replica.GradientBuckets, Spec.Compute.Wire);
        while (_hashes.Count <= steps)
        {
            AllReduceStep step = alone.Begin(_replica.Step);
            _replica.ComputeShards(alone.Share, step);
            _replica.Apply(step.Whole.Result, _replica.Measure(step.Whole.Result));
            _hashes.Add(_replica.Hash());
        }

        return _hashes[steps];
    }
}
