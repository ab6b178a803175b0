using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Client.Arguments;

namespace PixelCnnCluster.Console.Tests;

/// <summary>The console as a process of its own, as it was built along with these tests.</summary>
internal sealed class ConsoleProcess : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    private readonly Process _process;
    private readonly CancellationTokenSource _deadline = new(Timeout);
    private readonly Task<string> _error;

    public ConsoleProcess(params string[] args)
        : this(Environment.CurrentDirectory, args)
    {
    }

    public ConsoleProcess(string workingDirectory, string[] args)
    {
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string program = Path.GetFullPath(
            Path.Combine(AppContext.BaseDirectory, "..", "..", "Console", configuration, "PixelCnnCluster.Client.dll"));
        var start = new ProcessStartInfo("dotnet", [program, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory,
        };
        start.Environment.Remove(CommonFlags.ClusterVariable);
        _process = Process.Start(start)!;
        _error = _process.StandardError.ReadToEndAsync(_deadline.Token);
    }

    /// <summary>Reads events up to the first of the kind.</summary>
    public async Task<JsonElement> EventAsync(string kind) =>
        JsonDocument.Parse(await LineAsync($"{{\"event\":\"{kind}\"")).RootElement;

    /// <summary>Reads lines up to the first with this beginning that fits.</summary>
    public async Task<string> LineAsync(string beginning, Func<string, bool>? fits = null)
    {
        try
        {
            while (await _process.StandardOutput.ReadLineAsync(_deadline.Token) is { } line)
            {
                if (line.StartsWith(beginning, StringComparison.Ordinal) && fits?.Invoke(line) != false)
                    return line;
            }
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"no line {beginning} came within {Timeout}");
        }

        throw new InvalidOperationException($"the console ended without a line {beginning}: {await _error}");
    }

    /// <summary>Reads what is left of the output and waits for the end.</summary>
    public async Task<(int ExitCode, string Output, string Error)> EndAsync()
    {
        string output = await _process.StandardOutput.ReadToEndAsync(_deadline.Token);
        await _process.WaitForExitAsync(_deadline.Token);
        return (_process.ExitCode, output, await _error);
    }

    /// <summary>The processes that the console has started.</summary>
    public IReadOnlyList<Process> Children()
    {
        return [.. Process.GetProcesses().Where(process => Parent(process) == _process.Id)];

        static int? Parent(Process process)
        {
            try
            {
                // "pid (name) state parent ..."; the name may hold anything.
                return int.Parse(File.ReadAllText($"/proc/{process.Id}/stat").Split(") ")[^1].Split(' ')[1], CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                return null;
            }
        }
    }

    public void Terminate() => Signal("TERM");

    /// <param name="name">Of the signal, without SIG.</param>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Reads no more of the output, as a program that has seen enough, and waits for the end.</summary>
    public async Task<int> EndUnreadAsync()
    {
        _process.StandardOutput.Close();
        await _process.WaitForExitAsync(_deadline.Token);
        return _process.ExitCode;
    }

    public void Kill() => _process.Kill();

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.Dispose();
        _deadline.Dispose();
    }
}
