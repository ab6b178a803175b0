using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>A run on a simulated cluster, from its beginning to its end.</summary>
internal static class Schedule
{
    /// <summary>Ends between two epochs.</summary>
    public const int Steps = 85;

    /// <summary>Of the world's time: a device that hangs while it reads data is given an hour.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromHours(4);

    public static readonly RunSpec Spec = Presets.Quick with
    {
        Optimiser = Presets.Quick.Optimiser with { Shards = 5, BatchSize = 4 },
        Limits = Presets.Quick.Limits with { MaxSteps = Steps, MaxEpochs = 100, MaxMinutes = null, MaxSkipped = 3 },
        Output = Presets.Quick.Output with { Samples = 0, SaveInterval = 1 },
        Compute = Presets.Quick.Compute with { Workers = 4 },
    };

    /// <summary>The states of <see cref="Spec"/> after 0, 1, ... steps.</summary>
    public static readonly string[] Reference = SimulatedReplica.Reference(Spec, Steps);

    /// <summary>Those of a run without end, as far as any goes.</summary>
    public static readonly string[] Endless = SimulatedReplica.Reference(Spec, 1000);

    /// <inheritdoc cref="Run(World, int, int, Func{SimulatedCluster, Task, Task})"/>
    public static SimulatedCluster Run(int seed, int workers, Func<SimulatedCluster, Task, Task> disturb) =>
        Run(new World(seed), seed, workers, disturb);

    /// <summary>Runs to the end, which is that of an undisturbed run.</summary>
    /// <param name="disturb">Given the cluster and the run's end. What it does after that is not waited for.</param>
    public static SimulatedCluster Run(World world, int seed, int workers, Func<SimulatedCluster, Task, Task> disturb)
    {
        try
        {
            (RunEnded ended, SimulatedCluster cluster) = RunToEnd(world, Spec, workers, disturb);
            Assert.Equal((RunOutcome.Completed, (long)Steps, Reference[Steps]), (ended.Outcome, ended.Step, ended.StateHash));
            return cluster;
        }
        catch (Exception fault)
        {
            throw new InvalidOperationException(
                $"Seed {seed} (PIXELCNN_SIMULATION_SEEDS={seed}:1), after {world.Elapsed}: {fault}\n{string.Join('\n', world.Newest)}",
                fault);
        }
    }

    /// <inheritdoc cref="RunToEnd(World, RunSpec, int, Func{SimulatedCluster, Task, Task})"/>
    public static (RunEnded Ended, SimulatedCluster Cluster) RunToEnd(
        RunSpec spec, int workers, Func<SimulatedCluster, Task, Task> disturb) => RunToEnd(new World(seed: 1), spec, workers, disturb);

    /// <summary>Starts a cluster with a run, and awaits the run's end, whatever that is.</summary>
    /// <param name="disturb">Given the cluster and the run's end. What it does after that is not waited for.</param>
    public static (RunEnded Ended, SimulatedCluster Cluster) RunToEnd(
        World world, RunSpec spec, int workers, Func<SimulatedCluster, Task, Task> disturb) => world.Run(
            async () =>
            {
                var cluster = new SimulatedCluster(world, spec, Endless);
                for (int i = 0; i < workers; i++)
                    cluster.StartNode();
                cluster.StartCoordinator();
                Task disturbing = disturb(cluster, cluster.Ended);
                if (await Task.WhenAny(cluster.Ended, disturbing) == disturbing)
                    await disturbing;
                return (await cluster.Ended, cluster);
            },
            Deadline,
            awaited: "end of the run");
}
