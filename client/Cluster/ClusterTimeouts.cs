using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>How long a console bears with a cluster that does not answer: a grain that comes back on another silo needs seconds.</summary>
/// <param name="lost">Fails when nobody is left to answer, so that waiting is in vain.</param>
internal sealed class ClusterTimeouts(Task lost, TimeProvider time)
{
    /// <summary>What is silent for longer is lost.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>No try takes longer; a process that was stopped for a while has not waited for anybody.</summary>
    private static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(15);

    private TimeSpan _silence;
    private long _triedAt = time.GetTimestamp();

    /// <summary>Waits for a call's answer.</summary>
    public async Task UnlessLostAsync(Task call, CancellationToken leave) => await await Task.WhenAny(call, lost).WaitAsync(leave);

    /// <inheritdoc cref="UnlessLostAsync(Task, CancellationToken)"/>
    public async Task<T> UnlessLostAsync<T>(Task<T> call, CancellationToken leave)
    {
        await UnlessLostAsync((Task)call, leave);
        return await call;
    }

    /// <summary>The cluster has answered.</summary>
    public void Renew() => (_silence, _triedAt) = (TimeSpan.Zero, time.GetTimestamp());

    /// <summary>Whether a failure may pass; a user's mistake and a lost cluster do not.</summary>
    public static bool MayPass(Exception fault) => fault is not (UserErrorException or ClusterFaultException);

    /// <summary>Waits a moment before the next try.</summary>
    /// <exception cref="ClusterFaultException">The cluster has been silent for too long.</exception>
    public Task BearAsync(Exception fault, CancellationToken leave)
    {
        long now = time.GetTimestamp();
        TimeSpan took = time.GetElapsedTime(_triedAt, now);
        _silence += took < LongestTry ? took : LongestTry;
        _triedAt = now;
        return _silence > Timeout
            ? throw new ClusterFaultException($"The cluster has not answered for {Timeout.TotalSeconds} s: {fault.Message}", fault)
            : Task.Delay(RetryDelay, time, leave);
    }
}
