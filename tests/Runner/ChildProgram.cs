using System.Diagnostics;

namespace PixelCnnCluster.Runner;

/// <summary>
/// Runs a program to its end and gives its lines to a reader. When it is canceled or silent for too long, it ends with all that it started.
/// </summary>
public static class ChildProgram
{
    /// <summary>A process that outlives the program may hold its output open.</summary>
    private static readonly TimeSpan OutputWait = TimeSpan.FromSeconds(5);

    public static async Task<ChildEnd> RunAsync(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string?> environment, Action<string> read, TimeSpan timeout,
        CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        foreach ((string name, string? value) in environment)
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        var gate = new Lock();
        var silence = Stopwatch.StartNew();
        async Task ReadAsync(StreamReader output)
        {
            while (await output.ReadLineAsync(CancellationToken.None) is { } line)
            {
                lock (gate)
                {
                    silence.Restart();
                    read(line);
                }
            }
        }

        var reading = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
        Task exit = process.WaitForExitAsync(CancellationToken.None);
        bool isSilent = false;
        while (!exit.IsCompleted && !cancellation.IsCancellationRequested && !isSilent)
        {
            await Task.WhenAny(exit, Task.Delay(TimeSpan.FromSeconds(1), cancellation));
            lock (gate)
                isSilent = silence.Elapsed > timeout;
        }

        if (!exit.IsCompleted)
            process.Kill(entireProcessTree: true);
        await exit;
        await Task.WhenAny(reading, Task.Delay(OutputWait, CancellationToken.None));
        return new ChildEnd(process.ExitCode, isSilent);
    }
}

public readonly record struct ChildEnd(int Code, bool WasSilent);
