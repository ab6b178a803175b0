using PixelCnnCluster.Actors;

namespace PixelCnnCluster.Tests.Simulation;

/// <summary>The cluster's store: one record, written by compare-and-set, which may be out of reach for a while.</summary>
internal sealed class SimulatedStore
{
    public RunRecord Record { get; set; } = new();

    public int Version { get; set; }

    public bool IsOut { get; set; }
}

/// <summary>A coordinator's view of the record. A write may fail although it was done.</summary>
internal sealed class SimulatedLedger(SimulatedCluster cluster, SimulatedNode node) : IRunLedger
{
    private int version = cluster.Store.Version;

    public RunRecord Record { get; private set; } = cluster.Store.Record;

    public async Task WriteAsync(RunRecord record)
    {
        await TravelAsync();
        if (cluster.Store.Version != version)
            throw new LedgerLostException("Someone else has written.");
        int written = ++cluster.Store.Version;
        cluster.Store.Record = record;
        await TravelAsync();
        (Record, version) = (record, written);
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
