using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// The coordinator, the workers and the exchange as they are in the silos, over thousands of schedules of delays, losses, doubled messages,
/// deaths and coordinators that believe to be the only one. A schedule is a function of its seed.
/// </summary>
public sealed class SimulationTests
{
    private const int StepsPerEpoch = 10;

    [Fact]
    public void Without_trouble_any_number_of_workers_ends_in_the_same_state()
    {
        foreach (int workers in new[] { 1, 2, 3, 4 })
        {
            SimulatedCluster? undisturbed = null;
            Schedule.Run(seed: workers, workers, (cluster, _) =>
            {
                undisturbed = cluster;
                return Task.CompletedTask;
            });
            // Scores and copies come after whole epochs and at the end.
            Assert.All(
                undisturbed!.Orders,
                request => Assert.Equal((request.Step + 1) % StepsPerEpoch > 0 && request.Step + 1 < Schedule.Steps, request.PrefetchNext));
            Assert.All(
                undisturbed.Nodes, node => Assert.Equal((Schedule.Steps, false), (node.Replica!.Computed, node.Replica.HasKeptWaiting)));
        }
    }

    /// <summary>Others that run at the same time do not matter.</summary>
    [Fact]
    public void A_schedule_is_a_function_of_its_seed()
    {
        string[] traces = new string[4];
        Parallel.For(0, traces.Length, i => traces[i] = Trace(11));
        Assert.Single(traces.Distinct());
        Assert.NotEqual(traces[0], Trace(12));
    }

    /// <summary>The wish outlives the coordinator that was asked.</summary>
    [Fact]
    public void A_run_that_is_told_to_stop_saves_its_state_whatever_happens()
    {
        RunSpec endless = Schedule.Spec with { Limits = Schedule.Spec.Limits with { MaxSteps = 100_000 } };
        Parallel.For(1, 301, seed =>
        {
            var world = new World(seed);
            (RunEnded ended, _) = Schedule.RunToEnd(world, endless, workers: 3, async (cluster, _) =>
            {
                await world.Delay(world.Between(500, 2000));
                await cluster.StopAsync();
                await world.Delay(world.Between(0, 100));
                if (world.Chance(0.7))
                    await cluster.KillAsync(cluster.Nodes[world.Random.Next(3)]);
            });
            Assert.True(
                ended.Outcome == RunOutcome.Stopped
                    && ended.StateHash == Schedule.Endless[ended.Step], $"Seed {seed}: {ended}\n{string.Join('\n', world.Newest)}");
        });
    }

    /// <summary>With null, if there is no checkpoint; but for a coordinator whose process ends.</summary>
    [Theory]
    [InlineData("nothing")]
    [InlineData("full disk")]
    [InlineData("stop")]
    [InlineData("leave")]
    [InlineData("lost worker")]
    [InlineData("lost lease")]
    public void Whoever_asks_for_a_checkpoint_is_answered(string trouble)
    {
        Parallel.For(1, 21, seed =>
        {
            var world = new World(seed);
            Task<CheckpointSaved?>[] asked = [];
            Schedule.RunToEnd(world, Schedule.Spec, workers: 2, async (cluster, ended) =>
            {
                await cluster.ReachAsync(1 + (seed % 20));
                SimulatedNode[] others = [.. cluster.Nodes.Where(node => !cluster.HasCoordinator(node))];
                asked = [.. Enumerable.Range(0, 3).Select(_ => cluster.Coordinator.SaveAsync())];
                switch (trouble)
                {
                    case "full disk":
                        cluster.Disk.IsFull = true;
                        break;
                    case "stop":
                        await cluster.StopAsync();
                        break;
                    case "leave":
                        cluster.Coordinator.Leave();
                        break;
                    case "lost worker":
                        await cluster.KillAsync(others[0]);
                        break;
                    case "lost lease":
                        cluster.StartCoordinator();
                        break;
                }

                CheckpointSaved?[] saved = await Task.WhenAll(asked);
                Assert.Single(saved.Distinct());
                Assert.True(saved[0] is not null || trouble is not ("nothing" or "lost worker"), $"Seed {seed}: no checkpoint.");
                cluster.Disk.IsFull = false;
            });
            Assert.All(asked, one => Assert.True(one.IsCompletedSuccessfully, $"Seed {seed}: nobody answers."));
        });
    }

    /// <summary>
    /// The environment variable PIXELCNN_SIMULATION_SEEDS, as FIRST:COUNT, runs others. A failure tells its seed and what happened last.
    /// </summary>
    [Fact]
    public void Whatever_happens_the_run_ends_in_the_state_of_an_undisturbed_one()
    {
        string[] range = (Environment.GetEnvironmentVariable("PIXELCNN_SIMULATION_SEEDS") ?? "1:300").Split(':');
        int first = int.Parse(range[0], System.Globalization.CultureInfo.InvariantCulture),
            count = int.Parse(range[1], System.Globalization.CultureInfo.InvariantCulture);
        Parallel.For(first, first + count, seed => Schedule.Run(seed, workers: 1 + (seed % 4), DisturbAsync));
    }

    private static string Trace(int seed)
    {
        var world = new World(seed);
        Schedule.Run(world, seed, workers: 3, DisturbAsync);
        return string.Join('\n', world.Newest);
    }

    /// <summary>Trouble of all kinds for some seconds, then none.</summary>
    private static async Task DisturbAsync(SimulatedCluster cluster, Task ended)
    {
        World world = cluster.World;
        cluster.Trouble = new(Lost: world.Chance(0.5) ? 0 : 0.02, Doubled: world.Chance(0.5) ? 0 : 0.05);
        List<Task> going = [];
        for (int left = world.Random.Next(14); left > 0 && !ended.IsCompleted; left--)
        {
            await world.Delay(world.Between(10, 500));
            going.Add(OneAsync());
        }

        // What happens may bring more of it.
        for (int i = 0; i < going.Count; i++)
            await going[i];
        cluster.Trouble = Trouble.None;
        foreach (SimulatedNode node in cluster.Nodes)
            (node.Fault, node.Mistake) = (null, null);
        (cluster.Disk.IsFull, cluster.Disk.IsMissing, cluster.Store.IsOut) = (false, false, false);
        if (cluster.Living.All(node => node.Island is not null || node.Hangs || node.RoundsDifferently))
            cluster.StartNode();
        cluster.StartCoordinator();

        async Task OneAsync()
        {
            SimulatedNode[] living = [.. cluster.Living.Where(node => node.Island is null)];
            SimulatedNode[] Some() => world.Chance(0.5) ? living : [.. living.Where(_ => world.Chance(0.5))];
            SimulatedNode? Any() => living.Length == 0 ? null : living[world.Random.Next(living.Length)];
            switch (world.Random.Next(22))
            {
                case 0 or 1 when Any() is { } victim:
                    await cluster.KillAsync(victim, hangs: world.Chance(0.3));
                    if (world.Chance(0.7))
                        cluster.StartNode(victim.Name);
                    break;
                case 2 or 3:
                    cluster.StartNode();
                    break;
                case 4:
                    cluster.StartCoordinator();
                    break;
                case 5 when Any() is { } one && Any() is { } other:
                    await cluster.CutAsync(one, other, world.Between(100, 2500));
                    break;
                case 6:
                    cluster.Store.IsOut = true;
                    await world.Delay(world.Between(100, 8000));
                    cluster.Store.IsOut = false;
                    break;
                case 7:
                    cluster.Disk.IsFull = true;
                    await world.Delay(world.Between(100, 8000));
                    cluster.Disk.IsFull = false;
                    break;
                case 8 when Some() is [_, ..] island:
                    cluster.StartNode();
                    await cluster.IsolateAsync(island, world.Between(0, 12_000));
                    break;
                case 9 or 10 when Any() is { } leaver:
                    await cluster.DrainAsync(leaver);
                    break;
                case 11:
                    foreach (SimulatedNode each in living)
                        going.Add(cluster.DrainAsync(each));
                    break;
                case 12:
                    foreach (SimulatedNode each in living)
                        going.Add(cluster.KillAsync(each));
                    cluster.Disk.DamageNewest();
                    break;
                case 13 or 14 when living.Length > 1 && cluster.Nodes.All(node => node.Fault is null && node.Mistake is null):
                    cluster.MayFail = true;
                    SimulatedNode unfit = living[world.Random.Next(living.Length)];
                    if (world.Chance(0.5))
                        unfit.Fault = new InvalidOperationException("out of memory");
                    else
                        unfit.Mistake = new UserErrorException("no data");
                    break;
                case 15:
                    cluster.Disk.IsMissing = true;
                    await world.Delay(world.Between(100, 8000));
                    cluster.Disk.IsMissing = false;
                    break;
                case 19 when living.Length > 1 && !cluster.Nodes.Any(node => node.Hangs):
                    cluster.MayFail = true;
                    SimulatedNode hung = living[world.Random.Next(living.Length)];
                    hung.Hangs = true;
                    if (world.Chance(0.5))
                        _ = hung.RunAsync(() => true);
                    break;
                case 20 or 21 when cluster.Events.OfType<StepCommitted>().Any() && living.Any(node => !node.RoundsDifferently):
                    cluster.MayFail = true;
                    cluster.StartNode().RoundsDifferently = true;
                    break;
                case 18:
                    cluster.Store.IsEmpty = true;
                    await world.Delay(world.Between(100, 2000));
                    // The silos fill it with what they have seen of it.
                    cluster.Store.GoBack(world.Random.Next(3));
                    cluster.Store.IsEmpty = false;
                    cluster.StartCoordinator();
                    break;
                case 16 or 17:
                    cluster.Store.GoBack(world.Random.Next(1, 4));
                    if (Any() is { } lost)
                        await cluster.KillAsync(lost);
                    break;
            }
        }
    }
}
