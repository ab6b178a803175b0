using System.Diagnostics;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// A silo in a process of its own. It lives as long as the pipe to its standard input is open, so that it ends with the
/// console however that ends.
/// </summary>
public sealed class SiloProcess : IAsyncDisposable
{
    private const string ReadyLine = "ready", StackFrame = "   at ";
    private const int TailLines = 12;

    /// <summary>The one setting of silos that belongs to the machine and not to one silo.</summary>
    private const string DeviceVariable = "Silo__Device";

    /// <summary>
    /// GNU's C library asks the system for large pages for what it allocates, tensors among others, which makes a step on the CPU faster.
    /// It reads this once, as the process begins.
    /// </summary>
    private const string AllocatorVariable = "GLIBC_TUNABLES", LargePages = "glibc.malloc.hugetlb=1";

    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(60), MemoryInterval = TimeSpan.FromSeconds(0.5);

    /// <summary>Shells and .NET tell a signal as an exit code above this.</summary>
    private const int SignalBase = 128, LastSignal = 64, KillSignal = 9;

    private readonly Process _process;
    private readonly TextWriter _log;
    private readonly Queue<string> _tail = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _output;
    private long _peakBytes;

    private SiloProcess(string name, ProcessStartInfo start, string logPath)
    {
        Name = name;
        LogPath = logPath;
        // The log is appended to, because a continued run keeps its folder.
        _log = new StreamWriter(logPath, append: true) { AutoFlush = true };
        _process = Process.Start(start)!;
        _output = Task.WhenAll(CopyAsync(_process.StandardOutput), CopyAsync(_process.StandardError)).ContinueWith(
            _ => _ready.TrySetException(new ClusterFaultException($"{name} ended before it was ready. {Tail}")), TaskScheduler.Default);
        _ = WatchMemoryAsync();
    }

    public string Name { get; }

    public string LogPath { get; }

    /// <summary>Of the process.</summary>
    public int Id => _process.Id;

    /// <summary>Completes when the silo is up; fails with the end of its log when it ends before.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Completes when the silo's process has ended.</summary>
    public Task Exited => _output;

    /// <summary>
    /// A sentence: where the log is, and its last lines but for stack traces, which would leave no room for what happened.
    /// </summary>
    public string Tail
    {
        get
        {
            lock (_tail)
                return $"Its log is {LogPath}{(_tail.Count == 0 ? " (empty)." : " and ends with:\n  " + string.Join("\n  ", _tail))}";
        }
    }

    /// <summary>A sentence for a process that a signal has ended, with the memory that it had used; null for any other end.</summary>
    /// <remarks>Precondition: the process has ended and was waited for.</remarks>
    public string? SignalText { get; private set; }

    /// <param name="command">Program and arguments.</param>
    /// <param name="environment">Variables besides this process' own, whose settings of a silo are not handed on, but for the
    /// device.</param>
    /// <exception cref="ClusterFaultException">The program cannot be started.</exception>
    public static SiloProcess Start(
        string name, IReadOnlyList<string> command, string logPath, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string inherited in start.Environment.Keys.Where(
            key => key.StartsWith("Silo__", StringComparison.OrdinalIgnoreCase) && key != DeviceVariable).ToList())
            start.Environment.Remove(inherited);
        start.Environment.TryAdd(AllocatorVariable, LargePages);
        foreach ((string variable, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[variable] = value;
        try
        {
            return new SiloProcess(name, start, logPath);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new ClusterFaultException($"{name} cannot be started: {e.Message}.", e);
        }
    }

    /// <summary>Ends the process without grace; does nothing when it has ended.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has been disposed of.
        }
    }

    /// <summary>Asks the silo to end, and kills it when it does not within its grace.</summary>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        try
        {
            await _process.WaitForExitAsync().WaitAsync(EndTimeout);
        }
        catch (TimeoutException)
        {
            Kill();
            await _process.WaitForExitAsync();
        }

        await _output;
        if (_process.ExitCode - SignalBase is > 0 and <= LastSignal and int signal)
            SignalText = $"Signal {signal} ended {Name}, which had used up to {Volatile.Read(ref _peakBytes) >> 20:N0} MB of memory." +
                (signal == KillSignal ? " The system sends signal 9 where memory is short." : "");
        await _log.DisposeAsync();
        _process.Dispose();
    }

    /// <summary>The system does not tell it of a process that has ended.</summary>
    private async Task WatchMemoryAsync()
    {
        while (!_output.IsCompleted)
        {
            try
            {
                _process.Refresh();
                // Of a process that has just ended the system tells 0.
                Volatile.Write(ref _peakBytes, Math.Max(_peakBytes, _process.PeakWorkingSet64));
            }
            catch (InvalidOperationException)
            {
                // It begins, or has just ended.
            }

            await Task.WhenAny(_output, Task.Delay(MemoryInterval));
        }
    }

    private async Task CopyAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line == ReadyLine)
            {
                _ready.TrySetResult();
                continue;
            }

            lock (_tail)
            {
                _log.WriteLine(line);
                if (line.StartsWith(StackFrame, StringComparison.Ordinal))
                    continue;
                _tail.Enqueue(line);
                if (_tail.Count > TailLines)
                    _tail.Dequeue();
            }
        }
    }
}
