using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Cluster;

/// <summary>
/// A silo's part in keeping runs alive: has the workers shared out anew when a silo came or went, and now and then, which also brings
/// coordinators back that were lost. Before its own silo stops, it takes the silo's worker out of its run.
/// </summary>
public sealed partial class RunSupervisor(
    WorkerService device, IGrainFactory grains, ClusterWorkers cluster, ILocalSiloDetails silo, TimeProvider time,
    ILogger<RunSupervisor> log) : BackgroundService, IHostedLifecycleService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2), Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Before anything of the silo stops.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await StopAsync(cancellationToken);
        // It asks again and again: the silo that was asked may stop as well.
        for (long asked = 0; device.IsNeeded && !cancellationToken.IsCancellationRequested;)
        {
            try
            {
                if (asked == 0 || time.GetElapsedTime(asked) > Interval)
                {
                    asked = time.GetTimestamp();
                    await grains.GetGrain<IClusterGrain>(0).DrainAsync(silo.Name, silo.SiloAddress.ToParsableString());
                }

                await Task.Delay(Poll, time, cancellationToken);
            }
            catch (Exception fault)
            {
                LogNotHandedOver(log, fault, silo.Name);
            }
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using IAsyncEnumerator<ClusterMembershipSnapshot> changes = cluster.Changes.GetAsyncEnumerator(stoppingToken);
        Task<bool> change = changes.MoveNextAsync().AsTask();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await grains.GetGrain<IClusterGrain>(0).ReconcileAsync();
            }
            catch (Exception fault)
            {
                LogNotTended(log, fault);
            }

            var interval = Task.Delay(Interval, time, stoppingToken);
            await Task.WhenAny(change, interval);
            if (change.IsCompletedSuccessfully && change.Result)
                change = changes.MoveNextAsync().AsTask();
            else
                await interval.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await ((Task)change).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The runs could not be looked after")]
    private static partial void LogNotTended(ILogger log, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Worker} could not be taken out of its run yet")]
    private static partial void LogNotHandedOver(ILogger log, Exception fault, string worker);
}
