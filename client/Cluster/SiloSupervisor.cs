namespace PixelCnnCluster.Client.Cluster;

/// <summary>Keeps one silo of a local cluster alive: when its process ends, it is started again.</summary>
public sealed class SiloSupervisor : IAsyncDisposable
{
    /// <summary>A silo that ends this often in a row before it is ready, all within <see cref="Hurry"/>, is given up.</summary>
    private const int Tries = 3;

    private static readonly TimeSpan Hurry = TimeSpan.FromMinutes(1);

    /// <summary>Protects <see cref="_silo"/>: whoever stops it must not meet a restart in its middle.</summary>
    private readonly Lock _gate = new();

    private readonly Func<SiloProcess> _again;
    private readonly Action<string> _note;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SiloProcess _silo;

    /// <param name="first">The process to start with.</param>
    /// <param name="again">Starts the next one under the same name.</param>
    /// <param name="note">Is told of a process that a signal has ended.</param>
    public SiloSupervisor(SiloProcess first, Func<SiloProcess> again, Action<string> note, TimeProvider time)
    {
        _silo = first;
        _again = again;
        _note = note;
        _time = time;
        Ready = first.Ready;
        Ended = KeepAsync();
    }

    /// <summary>Completes when the silo is up for the first time; fails when it ends before, and it is not started again then.</summary>
    public Task Ready { get; }

    /// <summary>Completes when no process of the silo is left and none will come.</summary>
    public Task Ended { get; }

    /// <inheritdoc cref="SiloProcess.Tail"/>
    public string Tail => _silo.Tail;

    /// <summary>Kills the silo for good.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            _ending.TrySetResult();
            _silo.Kill();
        }
    }

    /// <summary>Asks the silo to end for good, and kills it when it does not within its grace.</summary>
    public async ValueTask DisposeAsync()
    {
        _ending.TrySetResult();
        await Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task KeepAsync()
    {
        var failures = new Queue<long>();
        if (!await WasReadyAsync())
            return;
        while (StartAgain())
        {
            if (await WasReadyAsync())
            {
                failures.Clear();
                continue;
            }

            failures.Enqueue(_time.GetTimestamp());
            if (failures.Count == Tries && _time.GetElapsedTime(failures.Dequeue()) <= Hurry)
                return;
        }
    }

    private bool StartAgain()
    {
        lock (_gate)
        {
            if (_ending.Task.IsCompleted)
                return false;
            _silo = _again();
            return true;
        }
    }

    /// <summary>Waits until the process has ended, or ends it when its time has come, and tells whether it had got ready.</summary>
    private async Task<bool> WasReadyAsync()
    {
        await Task.WhenAny(_silo.Exited, _ending.Task);
        await _silo.DisposeAsync();
        if (!_ending.Task.IsCompleted && _silo.SignalText is { } text)
            _note(text);
        return _silo.Ready.IsCompletedSuccessfully;
    }
}
