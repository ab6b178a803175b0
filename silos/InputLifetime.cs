using System.Diagnostics;
using System.Runtime.InteropServices;

namespace PixelCnnCluster.Silo;

/// <summary>
/// Ends the silo when its standard input ends or on SIGTERM. Ctrl+C and a closed terminal, which every process in front of it hears of,
/// are left to the console, which has a step to finish first.
/// </summary>
internal sealed class InputLifetime(IHostApplicationLifetime application) : IHostLifetime, IDisposable
{
    /// <summary>A stop that takes longer than this ends the process at once.</summary>
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(15);

    private readonly List<PosixSignalRegistration> _signals = [];

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            application.StopApplication();
        }));
        new Thread(EndWithInput) { IsBackground = true, Name = "input" }.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _signals.ForEach(signal => signal.Dispose());

    private void EndWithInput()
    {
        using Stream input = Console.OpenStandardInput();
        Span<byte> ignored = stackalloc byte[256];
        while (input.Read(ignored) > 0)
        {
        }

        application.StopApplication();
        new ManualResetEventSlim().Wait(EndTimeout);
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }
}
