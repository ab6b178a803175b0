using System.Diagnostics;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>A container's program as a process, which is asked and ended as by a kubelet.</summary>
internal sealed class ContainerProcess : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly string _name;
    private readonly string _log;
    private readonly Process _process;

    /// <param name="log">File that its output is added to.</param>
    public ContainerProcess(string name, IEnumerable<string> command, IEnumerable<KeyValuePair<string, string>> environment, string log)
    {
        (_name, _log) = (name, log);
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >>\"$0\" 2>&1", log, .. command]);
        foreach ((string variable, string value) in environment)
            start.Environment[variable] = value;
        _process = Process.Start(start)!;
    }

    public int Id => _process.Id;

    public Task Exited => _process.WaitForExitAsync();

    /// <summary>Waits until the readiness probe succeeds.</summary>
    public async Task ReadyAsync(Func<Task<bool>> probe)
    {
        using var deadline = new CancellationTokenSource(Deadline.Generous);
        while (!await probe())
        {
            if (deadline.IsCancellationRequested || _process.HasExited)
                throw new TimeoutException(
                    $"{_name} was not ready within {Deadline.Generous.TotalSeconds} s: " +
                    $"{string.Join('\n', File.ReadLines(_log).TakeLast(5))}");
            await Task.Delay(Poll);
        }
    }

    /// <summary>Asks it to end and gives its exit code.</summary>
    /// <exception cref="TimeoutException">It did not end within its grace.</exception>
    public async Task<int> TerminateAsync(TimeSpan grace)
    {
        using var kill = Process.Start("kill", ["-TERM", $"{Id}"]);
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WithinAsync(grace, $"the end of {_name}");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
