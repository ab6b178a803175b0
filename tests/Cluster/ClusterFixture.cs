using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

/// <summary>Four silo processes and a Redis, shared by the tests that leave them as they were.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private RedisServer? redis;
    private string dataDir = "";
    private int runs;

    public Fleet Fleet { get; private set; } = null!;

    private string Folder { get; } = Directory.CreateTempSubdirectory("pixelcnn-cluster-").FullName;

    public async ValueTask InitializeAsync()
    {
        dataDir = FewDigits.Write(Folder);
        redis = await RedisServer.StartAsync(Folder, FreePorts.Find(1)[0]);
        Fleet = new(Folder, redis.Address);
        await Fleet.StartAsync("worker-0", "worker-1", "worker-2", "worker-3");
    }

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await redis!.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Trains on a few digits to the end and returns all events, the last of which is the run's end.</summary>
    public async Task<IReadOnlyList<RunEvent>> TrainAsync(RunSpec spec)
    {
        FollowedRun run = await SubmitAsync(spec);
        await run.EndAsync();
        return run.Events;
    }

    /// <summary>Begins to train on a few digits.</summary>
    public Task<FollowedRun> SubmitAsync(RunSpec spec) =>
        Fleet.SubmitAsync(string.Create(CultureInfo.InvariantCulture, $"run-{Interlocked.Increment(ref runs)}"), spec with { DataSet = DataSet.Mnist, DataDir = dataDir });
}
