using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// Connections between workers that keep the order, delay, and break, at a whim or with the processes at their ends. What was on its way
/// when one breaks is lost.
/// </summary>
internal sealed class SimulatedNetwork(SimulatedCluster cluster, SimulatedNode from) : IPeerNetwork
{
    private readonly Dictionary<string, SimulatedNode> _reached = [];

    public async Task<IPeerConnection> ConnectAsync(string worker, PeerGreeting greeting, CancellationToken cancel)
    {
        SimulatedNode target = cluster.Nodes.LastOrDefault(node => node.Name == worker) ?? throw new IOException($"no {worker}");
        await Task.Delay(cluster.World.Between(1, 4), from.Clock, cancel);
        if (!target.IsAlive || cluster.IsCut(from, target) || target.Worker.ExchangeFor(greeting) is not { } exchange)
            throw new IOException($"{worker} hangs up");
        _reached[worker] = target;
        return new Connection(cluster, from, target, exchange);
    }

    public async Task<bool> IsGoneAsync(string worker, CancellationToken cancel)
    {
        await Task.Delay(cluster.World.Between(1, 4), from.Clock, cancel);
        return _reached.TryGetValue(worker, out SimulatedNode? target) && !target.IsAlive && !cluster.IsCut(from, target);
    }

    private sealed class Connection : IPeerConnection
    {
        private readonly CancellationTokenSource _lost = new();
        private readonly SimulatedCluster _cluster;
        private readonly SimulatedNode _from, _to;
        private readonly GradientExchange _exchange;
        private Task _before = Task.CompletedTask;

        public Connection(SimulatedCluster cluster, SimulatedNode from, SimulatedNode to, GradientExchange exchange)
        {
            _cluster = cluster;
            _from = from;
            _to = to;
            _exchange = exchange;
            to.Died += _lost.Cancel;
        }

        public CancellationToken Lost => _lost.Token;

        /// <remarks>Taken on at once and delivered later: who sends does not learn what was lost.</remarks>
        public Task<int> SendAsync(Chunk chunk, WireFormat wire, CancellationToken cancel)
        {
            if (_cluster.World.Chance(_cluster.Trouble.Lost))
                _lost.Cancel();
            cancel.ThrowIfCancellationRequested();
            float[] values = chunk.Values.ToArray();
            _before = DeliverAsync(_before);
            return Task.FromResult(values.Length * sizeof(float));

            async Task DeliverAsync(Task earlier)
            {
                await earlier;
                await _cluster.World.Delay(_cluster.World.Between(1, 4));
                // A network that is cut holds back what it carries, and brings it when it is whole again.
                while (_from.IsAlive && _to.IsAlive && _cluster.IsCut(_from, _to))
                    await _cluster.World.Delay(_cluster.World.Between(50, 200));
                if (_lost.IsCancellationRequested || !_from.IsAlive || !_to.IsAlive)
                    return;
                try
                {
                    Assert.Equal(values.Length, _exchange.LengthOf(chunk.Header));
                    if (_exchange.Open(chunk.Header) is { } target)
                    {
                        values.CopyTo(target);
                        _exchange.Close(chunk.Header, target);
                    }
                }
                catch (OperationCanceledException)
                {
                    _lost.Cancel();
                }
            }
        }

        public ValueTask DisposeAsync()
        {
            _to.Died -= _lost.Cancel;
            _lost.Cancel();
            return ValueTask.CompletedTask;
        }
    }
}
