using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading.Channels;

namespace PixelCnnCluster.Tests;

/// <summary>The console as a user runs it, in a process of its own.</summary>
internal sealed partial class ConsoleProcess : IAsyncDisposable
{
    public const int Interrupt = 2, Kill = 9;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly string Program = typeof(Client.TrainCommand).Assembly.Location;

    private readonly Process process;
    private readonly Channel<string> lines = Channel.CreateUnbounded<string>();
    private readonly Task<string> errors;

    public ConsoleProcess(params string[] arguments)
    {
        process = Process.Start(new ProcessStartInfo("dotnet", [Program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                lines.Writer.Complete();
            else
                lines.Writer.TryWrite(line.Data);
        };
        process.BeginOutputReadLine();
        errors = process.StandardError.ReadToEndAsync();
    }

    public int Id => process.Id;

    public Task<string> ErrorsAsync() => errors;

    /// <summary>Reads lines up to the first with that JSON event, and returns it.</summary>
    public async Task<JsonElement> UntilAsync(string happened)
    {
        using var deadline = new CancellationTokenSource(Patience);
        try
        {
            await foreach (string line in lines.Reader.ReadAllAsync(deadline.Token))
            {
                JsonElement read = JsonSerializer.Deserialize<JsonElement>(line);
                if (read.GetProperty("event").GetString() == happened)
                    return read;
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The console wrote no event '{happened}' within {Patience}.");
        }

        Assert.Fail($"The console ended without the event '{happened}': {await errors}");
        return default;
    }

    public async Task<int> ExitCodeAsync()
    {
        using var deadline = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The console did not end within {Patience}.");
        }

        return process.ExitCode;
    }

    public void Send(int signal) => Assert.Equal(0, SendSignal(process.Id, signal));

    /// <summary>Processes that the console started and that live.</summary>
    public static int[] ChildrenOf(int id) => [.. Process.GetProcesses().Where(other => ParentOf(other.Id) == id).Select(other => other.Id)];

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static int ParentOf(int id)
    {
        try
        {
            return int.Parse(File.ReadAllText($"/proc/{id}/stat").Split(") ")[^1].Split(' ')[1], null);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int SendSignal(int id, int signal);
}
