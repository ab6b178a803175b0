using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>How long a console bears with a cluster that does not answer: a grain that comes back on another silo needs seconds.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
internal sealed class ClusterTimeouts(Task lost, TimeProvider time)
{
    /// <summary>What is silent for longer is lost.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

    private long _heardAt = time.GetTimestamp();

    /// <summary>Waits for a call's answer.</summary>
    public async Task UnlessLostAsync(Task call, CancellationToken leave) => await await Task.WhenAny(call, lost).WaitAsync(leave);

    /// <inheritdoc cref="UnlessLostAsync(Task, CancellationToken)"/>
    public async Task<T> UnlessLostAsync<T>(Task<T> call, CancellationToken leave)
    {
        await UnlessLostAsync((Task)call, leave);
        return await call;
    }

    /// <summary>The cluster has answered.</summary>
    public void Renew() => _heardAt = time.GetTimestamp();

    /// <summary>Whether a failure may pass; a user's mistake and a lost cluster do not.</summary>
    public static bool MayPass(Exception fault) => fault is not (UserErrorException or ClusterFaultException);

    /// <summary>Waits a moment before the next try.</summary>
    /// <exception cref="ClusterFaultException">The cluster has been silent for too long.</exception>
    public Task BearAsync(Exception fault, CancellationToken leave) => time.GetElapsedTime(_heardAt) > Timeout
        ? throw new ClusterFaultException($"The cluster has not answered for {Timeout.TotalSeconds} s: {fault.Message}", fault)
        : Task.Delay(RetryDelay, time, leave);
}
