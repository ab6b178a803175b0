using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>How bad the network is: probabilities for each message.</summary>
internal sealed record Trouble(double Lost, double Doubled)
{
    public static Trouble None { get; } = new(0, 0);
}

/// <summary>
/// Nodes, coordinators, the store and the disk of one run, with checks at every change: each state is that of an undisturbed run after as
/// many steps, no commit that was announced is taken back while anyone holds it, and generations commit one after the other. At every
/// commit <see cref="CommitCheck"/> looks as well.
/// </summary>
internal sealed class SimulatedCluster
{
    private readonly RunSpec _spec;
    private readonly string[] _reference;
    private readonly HashSet<(SimulatedNode, SimulatedNode)> _cuts = [];
    private readonly List<(RunCoordinator Coordinator, SimulatedNode Node)> _coordinators = [];
    private readonly TaskCompletionSource<RunEnded> _ended = new();
    private readonly List<(GenerationOpened, TimeSpan)> _generations = [];
    private readonly CommitCheck _commits;
    private int _incarnations;

    /// <summary>The newest that has committed a step.</summary>
    private int _newestGeneration;
    private long _announced;

    public SimulatedCluster(World world, RunSpec spec, string[] reference)
    {
        (World, _spec, _reference) = (world, spec, reference);
        _commits = new(spec);
        Store.Write(new() { Spec = spec });
        _ = TellAgainAsync();
    }

    public World World { get; }

    public Trouble Trouble { get; set; } = Trouble.None;

    /// <summary>The work of all workers may have failed; the run goes on when it is resumed.</summary>
    public bool MayFail { get; set; }

    public SimulatedStore Store { get; } = new();

    public SimulatedDisk Disk { get; } = new();

    /// <summary>Every process that has been started; several may have had one name.</summary>
    public List<SimulatedNode> Nodes { get; } = [];

    /// <summary>Those of all coordinators, as they were told.</summary>
    public List<RunEvent> Events { get; } = [];

    /// <summary>All that were opened, and when.</summary>
    public IReadOnlyList<(GenerationOpened Opened, TimeSpan At)> Generations => _generations;

    /// <summary>The newest of the run.</summary>
    public RunCoordinator Coordinator => _coordinators[^1].Coordinator;

    /// <summary>The run's coordinator is on this node.</summary>
    public bool HasCoordinator(SimulatedNode node) => _coordinators.Any(one => one.Node == node);

    /// <summary>All that were given.</summary>
    public List<StepRequest> Orders { get; } = [];

    public IEnumerable<SimulatedNode> Living => Nodes.Where(node => node.IsAlive);

    public Task<RunEnded> Ended => _ended.Task;

    public SimulatedNode StartNode(string? name = null)
    {
        var node = new SimulatedNode(this, name ?? $"worker-{_incarnations}");
        _incarnations++;
        Nodes.Add(node);
        Tell();
        return node;
    }

    /// <summary>Kills a node. Others notice after a second or three; a coordinator that it had comes back elsewhere.</summary>
    public async Task KillAsync(SimulatedNode node, bool hangs = false)
    {
        World.Note($"{node.Name} is killed{(hangs ? " and hangs" : "")}");
        node.Die(isSilent: hangs);
        await World.Delay(hangs ? World.Between(3000, 4000) : World.Between(900, 1500));
        node.Notice();
        Tell();
        if (_coordinators.Any(one => one.Node == node))
            StartCoordinator();
    }

    /// <summary>Tells a node to stop: it leaves its run first, and must be let go.</summary>
    public async Task DrainAsync(SimulatedNode node)
    {
        World.Note($"{node.Name} is told to stop");
        node.IsDraining = true;
        Tell();
        for (TimeSpan begun = World.Elapsed; node.IsAlive && node.Worker.IsNeeded && World.Elapsed - begun < TimeSpan.FromMinutes(5);)
            await World.Delay(TimeSpan.FromMilliseconds(100));
        Assert.True(
            !node.IsAlive || Nodes.Any(one => one.Hangs) || !node.Worker.IsNeeded
                || _coordinators.All(one => !one.Node.IsAlive), $"{node.Name} was told to stop, but its run does not let it go.");
        foreach (RunCoordinator coordinator in _coordinators.Where(one => one.Node == node).Select(one => one.Coordinator).ToList())
            coordinator.Leave();
        await World.Delay(World.Between(50, 500));
        node.Die();
        node.Notice();
        Tell();
        if (_coordinators.RemoveAll(one => one.Node == node) > 0)
            StartCoordinator();
    }

    /// <summary>
    /// Cuts nodes off from the others and from the store. They believe that all is well until they learn, as late as the network comes
    /// back, that they count as dead.
    /// </summary>
    public async Task IsolateAsync(IReadOnlyCollection<SimulatedNode> island, TimeSpan duration)
    {
        World.Note($"{string.Join(", ", island.Select(node => node.Name))} are cut off");
        foreach (SimulatedNode node in island)
            node.Island = island;
        await World.Delay(World.Between(2500, 4000));
        foreach (SimulatedNode node in island)
            node.Notice();
        Tell();
        if (_coordinators.Any(one => island.Contains(one.Node)))
            StartCoordinator();
        await World.Delay(duration);
        foreach (SimulatedNode node in island)
            node.Die();
    }

    /// <summary>Takes messages between two nodes away, both ways.</summary>
    public async Task CutAsync(SimulatedNode one, SimulatedNode other, TimeSpan duration)
    {
        _cuts.Add((one, other));
        await World.Delay(duration);
        _cuts.Remove((one, other));
    }

    public bool IsCut(SimulatedNode one, SimulatedNode other) =>
        one.Island != other.Island || _cuts.Contains((one, other)) || _cuts.Contains((other, one));

    /// <summary>Starts a coordinator somewhere, whether or not there is one.</summary>
    public void StartCoordinator()
    {
        SimulatedNode[] living = [.. Living.Where(node => !node.IsNoticed)];
        if (living.Length == 0 || Store.IsEmpty || Store.Record.IsOver)
            return;
        SimulatedNode node = living[World.Random.Next(living.Length)];
        RunHistory history = RunHistory.OpenAsync(null, 0, node.Clock, _ => { }).GetAwaiter().GetResult();
        var cluster = new RunCluster(name => new SimulatedLink(this, node, name), ProcessOf, () => World.Post(_ => Tell(), null));
        var store = new SimulatedRunStore(this, node);
        var coordinator = new RunCoordinator("run", store, history, cluster, node.Clock, NullLogger.Instance);
        _coordinators.Add((coordinator, node));
        World.Note($"a coordinator begins on {node.Name}");
        coordinator.AssignWorkers(Assigned([]), []);
        _ = ListenAsync(history, store);
        _ = RunAsync(coordinator, node);
    }

    /// <summary>Waits until a step is committed.</summary>
    public async Task ReachAsync(long step)
    {
        while (Events.OfType<StepCommitted>().LastOrDefault() is not { } newest || newest.Step < step)
            await World.Delay(TimeSpan.FromMilliseconds(1));
    }

    /// <summary>Asks the coordinator that holds the lease to end the run, and waits until the wish is stored.</summary>
    public Task StopAsync() => Coordinator.StopAsync();

    /// <summary>Tells all coordinators which workers the run has.</summary>
    public void Tell()
    {
        foreach ((RunCoordinator coordinator, _) in _coordinators.Where(one => one.Node.IsAlive && one.Node.Island is null).ToList())
        {
            IReadOnlyList<string> unfit = coordinator.Unfit;
            coordinator.AssignWorkers(Assigned(unfit), unfit);
        }
    }

    /// <summary>A state has changed: it must be that of an undisturbed run.</summary>
    public void Check(SimulatedReplica replica) =>
        Assert.True(
            _reference[replica.Step] == replica.Hash(),
            $"A state after {replica.Step} steps is {replica.Hash()} in place of {_reference[replica.Step]}.");

    private async Task RunAsync(RunCoordinator coordinator, SimulatedNode node)
    {
        try
        {
            RunEnded? end = await coordinator.RunAsync();
            _coordinators.RemoveAll(one => one.Coordinator == coordinator);
            if (end is { Outcome: RunOutcome.Failed } && MayFail
                && Living.All(one => one.IsDraining || one.WasUnfit || one.Hangs || one.RoundsDifferently))
            {
                // As somebody does who has seen to the workers.
                foreach (SimulatedNode other in Living.Where(one => one.Hangs || one.RoundsDifferently).ToList())
                {
                    other.Die();
                    other.Notice();
                    StartNode(other.Name);
                }

                Store.Write(Store.Record with { State = RunState.Queued, Error = null });
            }
            else if (end is not null)
            {
                _ended.TrySetResult(end);
                return;
            }

            await World.Delay(World.Between(100, 2000));
            if (!_coordinators.Any(one => one.Node.IsAlive && one.Node.Island is null))
                StartCoordinator();
        }
        catch (Exception fault)
        {
            _ended.TrySetException(fault);
        }
    }

    private string[] Assigned(IReadOnlyList<string> unfit) =>
        [.. Nodes.Where(node => !node.IsNoticed && !node.IsDraining).Select(node => node.Name).Distinct().Except(unfit).Order()
            .Take(_spec.Optimiser.Shards)];

    private string? ProcessOf(string name) =>
        Nodes.FindLastIndex(node => node.Name == name && !node.IsNoticed) is >= 0 and int i ? $"{i}" : null;

    /// <summary>Silos have the workers shared out anew now and then.</summary>
    private async Task TellAgainAsync()
    {
        while (!Ended.IsCompleted)
        {
            await World.Delay(TimeSpan.FromSeconds(2));
            Tell();
        }
    }

    private async Task ListenAsync(RunHistory history, SimulatedRunStore store)
    {
        try
        {
            for (long next = 0; ;)
            {
                RunProgress progress = await history.ReadAsync(next, TimeSpan.FromDays(1), () => false);
                next = progress.Next;
                foreach (RunEvent happened in progress.Events)
                    Check(happened, store);
            }
        }
        catch (Exception fault)
        {
            _ended.TrySetException(fault);
        }
    }

    private void Check(RunEvent happened, SimulatedRunStore store)
    {
        Events.Add(happened);
        _commits.See(happened, store, Store.HasGoneBack);
        if (happened is GenerationOpened begun)
            _generations.Add((begun, World.Elapsed));
        World.Note(
            happened is GenerationOpened { Workers: var workers } ? $"{string.Join(", ", workers)}: {happened}" : happened.ToString());
        switch (happened)
        {
            case GenerationOpened opened when opened.Step < Math.Min(Store.Record.SavedStep ?? 0, Disk.NewestWholeStep):
                Assert.Fail(
                    $"Generation {opened.Generation} begins after step {opened.Step}, although there is a checkpoint of step " +
                    $"{Disk.NewestWholeStep}.");
                break;
            case GenerationOpened opened when opened.Step < _announced:
                // A store that has lost the names of those who leave cannot tell whom to ask.
                IEnumerable<string> holders = Living.Where(
                    node => node.Island is null && !node.Hangs && !(Store.HasGoneBack && node.IsDraining)
                        && node.Worker.Status().Run is not null && node.Replica is { IsDisposed: false } replica
                            && replica.Step >= _announced)
                    .Select(node => node.Name);
                Assert.True(
                    !holders.Any(),
                    $"Generation {opened.Generation} begins after step {opened.Step}, although {_announced} were committed and " +
                    $"{string.Join(", ", holders)} still hold that.");
                _announced = opened.Step;
                // Where the store has lost writes as well, nobody is left who knows the numbers that were given.
                _newestGeneration = Math.Min(_newestGeneration, opened.Generation);
                break;
            case StepCommitted committed when committed.Generation < _newestGeneration:
                // A coordinator that has been replaced may learn late that its last step was complete, but of nothing that the new one did
                // not know.
                Assert.True(
                    committed.Step <= _announced,
                    $"Generation {committed.Generation} commits step {committed.Step} after generation {_newestGeneration} has committed " +
                    $"{_announced}.");
                break;
            case StepCommitted committed:
                Assert.True(committed.Step > _announced, $"Step {committed.Step} is committed again; {_announced} were.");
                (_newestGeneration, _announced) = (committed.Generation, committed.Step);
                break;
        }
    }
}
