using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// How long a checkpoint keeps training from going on, against a step of the same replica; the writing goes on beside the steps.
/// </summary>
internal static class CheckpointStall
{
    public static Command Command()
    {
        var network = new NetworkOptions();
        Option<int> batch = new("--batch") { DefaultValueFactory = _ => 1, Description = "Images of a step." };
        Option<int> rounds = new("--rounds")
        {
            DefaultValueFactory = _ => 3,
            Description = "Checkpoints that are measured, after one that is not."
        };
        var command = new Command("checkpoint", "A checkpoint's stall against a training step.") { batch, rounds };
        network.AddTo(command);
        command.SetAction(parsed => Run(
            new RunSpec
            {
                Model = new()
                {
                    Filters = parsed.GetValue(network.Filters),
                    Blocks = parsed.GetValue(network.Resnets),
                    Mixtures = parsed.GetValue(network.Mixtures)
                },
                Optimiser = new() { Shards = 1, BatchSize = parsed.GetValue(batch), InitBatchSize = 2 },
                Output = new() { KeepCheckpoints = 1, SaveDir = Directory.CreateTempSubdirectory("pixelcnn-checkpoint-").FullName },
            },
            parsed.GetValue(network.Channels), parsed.GetValue(network.Size), parsed.GetValue(network.Device)!, parsed.GetValue(rounds)));
        return command;
    }

    private static void Run(RunSpec spec, int channels, int size, string device, int rounds)
    {
        using var threads = new DeviceThreads(1, device);
        using var replica = new Replica(spec, TrainStep.RandomImages(spec.Optimiser.ImagesPerStep * 4, channels, size), threads);
        var worker = new LoneWorker(replica, spec);
        List<double> stalls = [], steps = [], writes = [];
        long bytes = 0;
        RunFolder.Make(spec.Output.SaveDir);
        threads.RunAsync(() =>
        {
            replica.Initialise();
            for (int round = -1; round < rounds; round++)
            {
                double step = Timed(worker.Step);
                Func<CheckpointResponse> write = () => throw new InvalidOperationException();
                double stall = Timed(() => write = replica.Snapshot("run", testBitsPerDim: null)),
                    written = Timed(() => bytes = write().Bytes);
                if (round < 0)
                    continue;
                steps.Add(step);
                stalls.Add(stall);
                writes.Add(written);
            }

            return true;
        }).GetAwaiter().GetResult();
        Directory.Delete(spec.Output.SaveDir, recursive: true);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            parameters = replica.Network.Layout.Count,
            file_mb = bytes / 1e6,
            stall_s = stalls.Max(),
            write_s = writes.Max(),
            step_s = steps.Min(),
            stall_in_steps = stalls.Max() / steps.Min(),
        }));
    }

    private static double Timed(Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        return clock.Elapsed.TotalSeconds;
    }
}
