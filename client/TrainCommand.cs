using System.CommandLine;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Client.Shell;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client;

/// <summary>Trains a model, on a shared cluster or on one of this machine's own.</summary>
public static class TrainCommand
{
    /// <summary>Returns the exit code.</summary>
    public static async Task<int> RunAsync(ParseResult result)
    {
        var reader = new TrainRequestReader(
            DateTimeOffset.Now, Environment.ProcessorCount, Environment.GetEnvironmentVariable(CommonFlags.ClusterVariable));
        TrainRequest request = reader.Read(result);
        if (reader.Mistakes.Count > 0)
            return Failure.Report(ExitCode.UserError, reader.Mistakes, request.Json);
        if (request.PrintsConfig)
        {
            Console.WriteLine(request.Spec.ToConfig());
            return ExitCode.Success;
        }

        return request.Cluster is { } cluster
            ? await ClusterCommands.FollowAsync(
                new(cluster, request.Run, request.Json, request.Detach), grains => grains.Cluster.SubmitAsync(request.Run, request.Spec))
            : await RunLocallyAsync(request);
    }

    private static async Task<int> RunLocallyAsync(TrainRequest request)
    {
        using var signals = new StopSignals();
        GuardedOutputStream.Install(closed: signals.AskToStop);
        var view = new RunView(request.Run, request.Json, request.LogDir, Prompt.For(cluster: null));
        return await Failure.GuardAsync(
            request.Json,
            async () =>
            {
                try
                {
                    using (view)
                        return await TrainAsync(request, view, signals);
                }
                catch (OperationCanceledException) when (signals.Abort.IsCancellationRequested)
                {
                    return Failure.Report(ExitCode.Interrupted, ["Stopped at once; the newest checkpoint is from before."], request.Json);
                }
                catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
                {
                    return Failure.Report(ExitCode.Success, ["Stopped before the first step; nothing was saved."], request.Json);
                }
            },
            fault => view.Describe(fault.Message));
    }

    /// <summary>Saves in the middle of training; the checkpoint is an event that the display shows.</summary>
    private static async Task SaveAsync(ITrainingRunGrain run, IRunDisplay display)
    {
        try
        {
            await run.CheckpointAsync();
        }
        catch (Exception fault)
        {
            display.Note($"No checkpoint was written: {fault.Message}");
        }
    }

    private static async Task<int> TrainAsync(TrainRequest request, RunView view, StopSignals signals)
    {
        (RunSpec spec, IRunDisplay display) = (request.Spec, view.Display);
        using var folder = FolderLock.Take(spec.Output.SaveDir, request.LogDir);
        if (DataSetCatalog.Files(spec.Data.DataSet).Count > 0)
            await display.ShowDownloadsAsync(
                progress => DataSetDownload.EnsureAsync(spec.Data.DataSet, spec.Data.DataDir, progress, signals.Stop));
        display.Note($"Starting {spec.Compute.Workers} workers; their logs are in {request.LogDir}.");
        await using LocalCluster cluster = await LocalCluster.StartAsync(
            spec.Compute.Workers, request.Threads, request.LogDir, display.Note, signals.Stop);
        display.Note($"Other consoles reach this cluster with --cluster {cluster.Address}.");
        try
        {
            signals.SaveAsked = () => _ = SaveAsync(cluster.Grains.Run(request.Run), display);
            Task<long> submission = cluster.Grains.Cluster.SubmitAsync(request.Run, spec);
            await await Task.WhenAny(submission, cluster.Lost).WaitAsync(signals.Abort);
            return await view.FollowAsync(cluster.Grains.Run(request.Run), await submission, cluster.Lost, signals.Stop, signals.Abort);
        }
        catch (OperationCanceledException) when (signals.Abort.IsCancellationRequested)
        {
            // A silo that hangs would be waited for.
            cluster.Kill();
            throw;
        }
    }
}
