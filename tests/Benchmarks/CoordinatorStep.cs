using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// What a step costs the coordinator: the training loop as it is, with workers that answer at once. They are grains of a silo in another
/// process, so orders and reports are encoded and sent as ever. The network, the exchange and the store are left out.
/// </summary>
internal static class CoordinatorStep
{
    public static Command Command()
    {
        Option<int> workers = new("--workers") { DefaultValueFactory = _ => 64, Description = "Simulated workers." };
        Option<int> steps = new("--steps") { DefaultValueFactory = _ => 3000, Description = "Steps, the first half not measured." };
        var command = new Command("coordinator-step", "What a step costs the coordinator.") { workers, steps };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(workers), parsed.GetValue(steps)));
        return command;
    }

    private static async Task RunAsync(int workers, int steps)
    {
        int[] ports = FreePorts.Find(2);
        using var silo = new Children(1, _ => ["simulated-workers", $"--port={ports[0]}", $"--gateway={ports[1]}"]);
        silo.Ask("ready?");
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new());
        builder.UseOrleansClient(client => client.UseLocalhostClustering(ports[1]));
        using IHost host = builder.Build();
        await host.StartAsync();
        var grains = (IClusterClient)host.Services.GetService(typeof(IClusterClient))!;
        var spec = new RunSpec
        {
            Optimiser = new() { Shards = workers },
            Limits = new() { MaxSteps = steps },
            Output = new() { Samples = 0, SaveInterval = int.MaxValue },
            Compute = new() { Workers = workers },
        };
        RunHistory history = await RunHistory.OpenAsync(folder: null, firstPosition: 0, TimeProvider.System, _ => { });
        List<double> milliseconds = [];
        var clock = Stopwatch.StartNew();
        using var self = Process.GetCurrentProcess();
        TimeSpan busy = default;
        history.Added = happened =>
        {
            if (happened is not StepCommitted { Step: var step })
                return;
            milliseconds.Add(clock.Elapsed.TotalMilliseconds);
            clock.Restart();
            if (step == steps / 2)
                busy = self.TotalProcessorTime;
            self.Refresh();
            if (step == steps)
                busy = self.TotalProcessorTime - busy;
        };
        var coordinator = new RunCoordinator(
            "run", new RunStore(spec), history,
            new(name => grains.GetGrain<IWorkerGrain>(name, typeof(SimulatedWorkerGrain).FullName), name => name, () => { }),
            TimeProvider.System, NullLogger.Instance);
        coordinator.AssignWorkers([.. Enumerable.Range(0, workers).Select(worker => $"worker-{worker}")], []);
        if (await coordinator.RunAsync() is not { Error: null } ended)
            throw new InvalidOperationException("The run did not end well: " + history.Last<RunEnded>()?.Error);
        double[] measured = [.. milliseconds.Skip(steps / 2).Order()];
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            workers,
            steps = ended.Step,
            median_ms = measured[measured.Length / 2],
            p99_ms = measured[measured.Length * 99 / 100],
            cpu_ms = busy.TotalMilliseconds / (steps - (steps / 2)),
        }));
        await host.StopAsync();
    }

    private sealed class RunStore(RunSpec spec) : IRunStore
    {
        public RunRecord Record { get; private set; } = new() { Spec = spec };

        public Task WriteAsync(RunRecord record)
        {
            Record = record;
            return Task.CompletedTask;
        }
    }
}
