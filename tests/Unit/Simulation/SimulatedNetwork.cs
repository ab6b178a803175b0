using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Simulation;

/// <summary>
/// Connections between workers that keep the order, delay, and break, at a whim or with the processes at their ends. What was on its way when one breaks is lost.
/// </summary>
internal sealed class SimulatedNetwork(SimulatedCluster cluster, SimulatedNode from) : IPeerNetwork
{
    private readonly Dictionary<string, SimulatedNode> reached = [];

    public async Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel)
    {
        SimulatedNode target = cluster.Nodes.LastOrDefault(node => node.Name == worker) ?? throw new IOException($"no {worker}");
        await Task.Delay(cluster.World.Between(1, 4), from.Clock, cancel);
        if (!target.IsAlive || cluster.IsCut(from, target) || target.Worker.ExchangeFor(greeting) is not { } exchange)
            throw new IOException($"{worker} hangs up");
        reached[worker] = target;
        return new Connection(cluster, from, target, exchange);
    }

    public async Task<bool> IsGoneAsync(string worker, CancellationToken cancel)
    {
        await Task.Delay(cluster.World.Between(1, 4), from.Clock, cancel);
        return reached.TryGetValue(worker, out SimulatedNode? target) && !target.IsAlive && !cluster.IsCut(from, target);
    }

    private sealed class Connection : IPeerConnection
    {
        private readonly CancellationTokenSource lost = new();
        private readonly SimulatedCluster cluster;
        private readonly SimulatedNode from, to;
        private readonly GradientExchange exchange;
        private Task before = Task.CompletedTask;

        public Connection(SimulatedCluster cluster, SimulatedNode from, SimulatedNode to, GradientExchange exchange)
        {
            (this.cluster, this.from, this.to, this.exchange) = (cluster, from, to, exchange);
            to.Died += lost.Cancel;
        }

        public CancellationToken Lost => lost.Token;

        /// <remarks>Taken on at once and delivered later: who sends does not learn what was lost.</remarks>
        public Task<int> SendAsync(Chunk chunk, WireFormat wire, CancellationToken cancel)
        {
            if (cluster.World.Chance(cluster.Trouble.Lost))
                lost.Cancel();
            cancel.ThrowIfCancellationRequested();
            float[] values = chunk.Values.ToArray();
            before = DeliverAsync(before);
            return Task.FromResult(values.Length * sizeof(float));

            async Task DeliverAsync(Task earlier)
            {
                await earlier;
                await cluster.World.Delay(cluster.World.Between(1, 4));
                // A network that is cut holds back what it carries, and brings it when it is whole again.
                while (from.IsAlive && to.IsAlive && cluster.IsCut(from, to))
                    await cluster.World.Delay(cluster.World.Between(50, 200));
                if (lost.IsCancellationRequested || !from.IsAlive || !to.IsAlive)
                    return;
                try
                {
                    Assert.Equal(values.Length, exchange.LengthOf(chunk.Header));
                    if (exchange.Open(chunk.Header) is { } target)
                    {
                        values.CopyTo(target);
                        exchange.Close(chunk.Header, target);
                    }
                }
                catch (OperationCanceledException)
                {
                    lost.Cancel();
                }
            }
        }

        public ValueTask DisposeAsync()
        {
            to.Died -= lost.Cancel;
            lost.Cancel();
            return ValueTask.CompletedTask;
        }
    }
}
