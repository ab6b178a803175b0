using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Tests;

/// <summary>Four real silo processes with one thread each, shared by the tests that leave them as they were.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private LocalCluster? cluster;
    private string dataDir = "";
    private int runs;

    private string Folder { get; } = Directory.CreateTempSubdirectory("pixelcnn-cluster-").FullName;

    public async ValueTask InitializeAsync()
    {
        dataDir = FewDigits.Write(Folder);
        cluster = await LocalCluster.StartAsync(workers: 4, threads: 1, Folder, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (cluster is not null)
            await cluster.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Trains on a few digits to the end and returns all events, the last of which is the run's end.</summary>
    public async Task<IReadOnlyList<RunEvent>> TrainAsync(RunSpec spec)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"run-{Interlocked.Increment(ref runs)}");
        ITrainingRunGrain run = cluster!.Client.GetGrain<ITrainingRunGrain>(name);
        await run.StartAsync(spec with { DataSet = DataSet.Mnist, DataDir = dataDir, SaveDir = Path.Combine(Folder, name) });
        List<RunEvent> events = [];
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        for (int next = 0; events is not [.., RunEnded];)
        {
            Assert.False(deadline.IsCancellationRequested, $"{name} did not end within 5 minutes; its last event is {events.LastOrDefault()}");
            RunProgress progress = await run.ReadAsync(next);
            events.AddRange(progress.Events);
            next = progress.Next;
        }

        return events;
    }
}
