using System.Runtime.InteropServices;

namespace PixelCnnCluster.Client.Shell;

/// <summary>
/// Ctrl+C, a polite kill and a closed terminal ask a command to stop. A second Ctrl+C ends it at once; a second kill is the same wish
/// again, as `timeout` sends it.
/// </summary>
public sealed class StopSignals : IDisposable
{
    /// <summary>SIGUSR1, which the runtime has no name for.</summary>
    private const PosixSignal SaveSignal = (PosixSignal)10;

    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Notice),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Notice),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, Notice),
        PosixSignalRegistration.Create(SaveSignal, Notice),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stop => _stop.Token;

    /// <summary>Cancelled by the second Ctrl+C.</summary>
    public CancellationToken Abort => _abort.Token;

    /// <summary>Told when somebody asks for a checkpoint, by SIGUSR1.</summary>
    public Action SaveAsked { get; set; } = () => { };

    /// <summary>The same as a first signal.</summary>
    public void AskToStop() => _stop.Cancel();

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
        if (context.Signal == SaveSignal)
            SaveAsked();
        else if (context.Signal == PosixSignal.SIGINT && _stop.IsCancellationRequested)
            _abort.Cancel();
        else
            _stop.Cancel();
    }
}
