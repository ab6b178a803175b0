using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// What must hold at every commit: one coordinator, which holds the lease, commits the steps of a generation; generations only grow; a
/// step that is committed again has the same result; an epoch uses each image exactly once.
/// </summary>
internal sealed class CommitCheck(RunSpec spec)
{
    private const int Images = SimulatedReplica.TrainImages;

    private readonly DataOrder _order = new(Images, spec.Optimiser.BatchSize, spec.Optimiser.Shards, spec.Optimiser.Seed);
    private readonly Dictionary<int, SimulatedRunStore> _committers = [];
    private readonly Dictionary<long, (double, double, bool)> _results = [];

    /// <summary>Of each committed step, those that it used.</summary>
    private readonly List<int[]> _images = [];

    private int _newestOpened;

    /// <param name="store">Of the coordinator that tells it.</param>
    /// <param name="numbersMayRepeat">The store has lost writes: a number may be given again where nobody is left who knows it.</param>
    public void See(RunEvent happened, SimulatedRunStore store, bool numbersMayRepeat)
    {
        switch (happened)
        {
            case GenerationOpened opened:
                Assert.True(
                    opened.Generation > _newestOpened || numbersMayRepeat,
                    $"Generation {opened.Generation} is opened after generation {_newestOpened}.");
                _newestOpened = opened.Generation;
                // Its predecessor may have committed a step that nobody was told of; or what was committed is lost.
                GoTo(opened.Step);
                break;
            case StepCommitted committed:
                Assert.True(
                    store.SinceWritten <= RunLease.Duration,
                    $"Step {committed.Step} is committed by a coordinator that wrote last {store.SinceWritten} ago.");
                Assert.True(
                    _committers.TryAdd(committed.Generation, store) || _committers[committed.Generation] == store || numbersMayRepeat,
                    $"Two coordinators commit steps of generation {committed.Generation}.");
                (double, double, bool) result = (committed.Loss, committed.GradientNorm, committed.Skipped);
                Assert.True(
                    _results.TryAdd(committed.Step, result) || _results[committed.Step].Equals(result),
                    $"Step {committed.Step} is committed with {result} and was with {_results[committed.Step]}.");
                GoTo(Math.Max(committed.Step, _images.Count));
                break;
        }
    }

    private void GoTo(long step)
    {
        if (step < _images.Count)
            _images.RemoveRange((int)step, _images.Count - (int)step);
        while (_images.Count < step)
        {
            _images.Add([.. Enumerable.Range(0, spec.Optimiser.Shards).SelectMany(shard => _order.ImagesOf(_images.Count, shard))]);
            if (_order.IsEndOfEpoch(_images.Count))
                CheckEpoch(_order.WholeEpochsAfter(_images.Count) - 1);
        }
    }

    private void CheckEpoch(long epoch) =>
        Assert.Equal(
            Enumerable.Range(0, Images), _images.SelectMany(images => images).Skip((int)epoch * Images).Take(Images).Order());
}
