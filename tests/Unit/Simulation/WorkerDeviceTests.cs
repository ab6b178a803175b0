using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Simulation;

/// <summary>A worker alone in its generation, whose replica breaks when the test wants it to.</summary>
public sealed class WorkerDeviceTests : IDisposable
{
    private static readonly RunSpec Spec = Presets.Quick with { Shards = 2, BatchSize = 4 };

    private readonly DeviceThreads threads = new(1);
    private readonly Replicas replicas = new();
    private readonly WorkerDevice worker;

    public WorkerDeviceTests() => worker = new(
        "worker-0", threads, replicas, _ => throw new NotSupportedException(), new NoNetwork(), new(new(Meters.Name)), TimeProvider.System, NullLogger<WorkerDevice>.Instance);

    public void Dispose() => threads.Dispose();

    [Fact]
    public async Task A_gradient_is_applied_without_another_order()
    {
        await JoinAsync();
        await worker.StepAsync(new("run", 1, 0));
        Assert.Equal(1, (await EnrolAsync(generation: 2)).Step);
    }

    [Fact]
    public async Task An_order_for_another_state_is_refused()
    {
        await JoinAsync();
        await worker.StepAsync(new("run", 1, 0));
        foreach (long step in new long[] { 2, 3 })
            await Assert.ThrowsAsync<InvalidOperationException>(() => worker.StepAsync(new("run", 1, step)));
        Assert.Equal(1, (await worker.StepAsync(new("run", 1, 1))).Step);
    }

    [Fact]
    public async Task A_gradient_that_was_reported_and_cannot_be_applied_fails_the_next_order_and_leaves_no_state()
    {
        await JoinAsync();
        await worker.StepAsync(new("run", 1, 0));
        await worker.HashAsync(new("run", 1, 1));
        replicas.Breaks = true;
        Assert.Equal(1, (await worker.StepAsync(new("run", 1, 1))).Step);
        Exception fault = await Assert.ThrowsAsync<IOException>(() => worker.HashAsync(new("run", 1, 2)));
        Assert.Equal("broken", fault.Message);
        Assert.Null((await EnrolAsync(generation: 2)).Step);
    }

    private Task<Holding> EnrolAsync(int generation) => worker.EnrolAsync(new("run", generation, Spec, IfHeld: false));

    private async Task JoinAsync()
    {
        await EnrolAsync(generation: 1);
        await worker.JoinAsync(new("run", 1, ["worker-0"], Spec, Step: null, Source: null));
    }

    private sealed class Replicas : IReplicaSource
    {
        public bool Breaks { get; set; }

        public void Load(RunSpec spec) { }

        public long? NewestCheckpoint(RunSpec spec) => null;

        public IReplica Build(RunSpec spec) => new SimulatedReplica(new SimulatedDisk(), _ =>
        {
            if (Breaks)
                throw new IOException("broken");
        });
    }

    private sealed class NoNetwork : IPeerNetwork
    {
        public Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel) => throw new NotSupportedException();
    }
}
