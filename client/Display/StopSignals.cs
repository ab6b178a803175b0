using System.Runtime.InteropServices;

namespace PixelCnnCluster.Client.Display;

/// <summary>Ctrl+C and a polite kill: the first asks the run to stop, the second ends it at once.</summary>
public sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Notice),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Notice),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>Cancelled by the second signal.</summary>
    public CancellationToken Abort => _abort.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _stop.Dispose();
        _abort.Dispose();
    }

    private void Notice(PosixSignalContext context)
    {
        // Without this the runtime would end the process.
        context.Cancel = true;
        (_stop.IsCancellationRequested ? _abort : _stop).Cancel();
    }
}
