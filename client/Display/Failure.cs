using System.Net.Sockets;
using System.Text.Json;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Shell;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>How the program ends.</summary>
public static class ExitCode
{
    public const int Success = 0, Fault = 1, UserError = 2, Interrupted = 130;
}

/// <summary>Tells people, and programs that asked for JSON, what went wrong.</summary>
public static class Failure
{
    /// <summary>Does what a command does; what goes wrong becomes a sentence and an exit code.</summary>
    /// <param name="describe">The sentence for a fault, which is nobody's mistake.</param>
    public static async Task<int> GuardAsync(bool json, Func<Task<int>> command, Func<Exception, string> describe)
    {
        try
        {
            return await command();
        }
        catch (UserErrorException mistake)
        {
            return Report(ExitCode.UserError, [mistake.Message], json);
        }
        catch (Exception fault)
        {
            return Report(ExitCode.Fault, [describe(fault)], json);
        }
    }

    /// <summary>The same for a command that a signal ends: the first cancels it, the second does not even wait for its goodbyes.</summary>
    /// <param name="cluster">The shared cluster that the command talks to; null for one of this machine's own.</param>
    public static async Task<int> GuardAsync(bool json, ClusterAddress? cluster, Func<CancellationToken, Task<int>> command)
    {
        using var signals = new StopSignals();
        return await GuardAsync(
            json,
            async () =>
            {
                try
                {
                    return await command(signals.Stop).WaitAsync(signals.Abort);
                }
                catch (OperationCanceledException) when (signals.Stop.IsCancellationRequested)
                {
                    return ExitCode.Interrupted;
                }
            },
            fault => cluster is not null && fault is OrleansException or TimeoutException or SocketException
                ? $"The cluster at {cluster} does not answer; try again. {fault.Message}" : fault.Message);
    }

    /// <summary>
    /// Writes each message to standard error, and with <paramref name="json"/> an event to standard output; returns
    /// <paramref name="exitCode"/>.
    /// </summary>
    public static int Report(int exitCode, IEnumerable<string> messages, bool json)
    {
        foreach (string message in messages)
        {
            if (json)
                Console.Out.WriteLine(JsonLine(message));
            // A message may end with lines of a log.
            foreach (string line in message.Split('\n'))
                Console.Error.WriteLine(Printable.Of(line));
        }

        return exitCode;
    }

    public static string JsonLine(string message) =>
        JsonSerializer.Serialize(new { Event = "error", Message = message }, ContractsJson.Options);
}
