using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>The cluster's store: one record, written by compare-and-set, which may be out of reach for a while.</summary>
internal sealed class SimulatedStore
{
    private readonly List<(RunRecord Record, int Version)> _writes = [(new(), 0)];
    private int _issued;

    public RunRecord Record => _writes[^1].Record;

    /// <summary>Of the record; no two writes have the same.</summary>
    public int Version => _writes[^1].Version;

    public bool IsOut { get; set; }

    /// <summary>It has come back without what it held, and nobody has filled it again yet.</summary>
    public bool IsEmpty { get; set; }

    public int Write(RunRecord record)
    {
        _writes.Add((record, ++_issued));
        return _issued;
    }

    /// <summary>Loses the newest writes, though they were acknowledged; not the one that says that the run trains.</summary>
    public void GoBack(int lost)
    {
        HasGoneBack = true;
        for (; lost > 0 && _writes is [.., { Record.State: RunState.Training }, _]; lost--)
            _writes.RemoveAt(_writes.Count - 1);
    }

    public bool HasGoneBack { get; private set; }
}

/// <summary>A coordinator's view of the record. A write may fail although it was done.</summary>
internal sealed class SimulatedRunStore(SimulatedCluster cluster, SimulatedNode node) : IRunStore
{
    private int _version = cluster.Store.Version;
    private TimeSpan _writtenAt = TimeSpan.FromDays(-1);

    public RunRecord Record { get; private set; } = cluster.Store.Record;

    /// <summary>Since its newest write that succeeded was begun.</summary>
    public TimeSpan SinceWritten => cluster.World.Elapsed - _writtenAt;

    public async Task WriteAsync(RunRecord record)
    {
        TimeSpan begun = cluster.World.Elapsed;
        await TravelAsync();
        if (cluster.Store.IsEmpty || cluster.Store.Version != _version)
            throw new LeaseLostException("Someone else has written.");
        int written = cluster.Store.Write(record);
        await TravelAsync();
        (Record, _version, _writtenAt) = (record, written, begun);
    }

    private async Task TravelAsync()
    {
        await Task.Delay(cluster.World.Between(0, 3), node.Clock);
        if (cluster.Store.IsOut || node.Island is not null || cluster.World.Chance(cluster.Trouble.Lost / 2))
        {
            await Task.Delay(TimeSpan.FromSeconds(1), node.Clock);
            throw new TimeoutException("The store does not answer.");
        }
    }
}
