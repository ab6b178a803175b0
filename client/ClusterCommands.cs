using System.CommandLine;
using System.Text.Json;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Client;

/// <summary>Commands for a cluster that runs whether a console looks or not. Each returns the exit code.</summary>
public static class ClusterCommands
{
    public static Task<int> RunsAsync(ParseResult result) =>
        ListAsync(result, async (listing, grains, _) => listing.Runs(await grains.Cluster.RunsAsync()));

    public static Task<int> ShowAsync(ParseResult result) =>
        ListAsync(result, (listing, grains, run) => listing.ShowAsync(grains.Run(run)));

    public static Task<int> WorkersAsync(ParseResult result) =>
        ListAsync(result, async (listing, grains, _) => listing.Workers(await grains.Cluster.WorkersAsync()));

    public static Task<int> WatchAsync(ParseResult result) =>
        ReadAsync(result, request => FollowAsync(request, _ => Task.FromResult(0L)));

    public static Task<int> CheckpointAsync(ParseResult result) => ReadAsync(
        result,
        request => ConnectedAsync(request, async (grains, leave) =>
        {
            string path = await grains.Run(request.Run).CheckpointAsync().WaitAsync(leave);
            Console.WriteLine(
                request.Json ? JsonSerializer.Serialize(new { Event = "checkpoint", Path = path }, ContractsJson.Options) : path);
            return ExitCode.Success;
        }));

    public static Task<int> ResumeAsync(ParseResult result) =>
        ReadAsync(result, request => FollowAsync(request, grains => grains.Cluster.ResumeAsync(request.Run)));

    public static Task<int> StopAsync(ParseResult result) =>
        ReadAsync(result, request => FollowAsync(
            request,
            async grains =>
            {
                await grains.Run(request.Run).StopAsync();
                return 0;
            },
            endOnly: true));

    /// <summary>Asks something of the cluster for a run, and shows the run until it is over or the user leaves it to the cluster.</summary>
    /// <param name="ask">Returns the position of the first event to show.</param>
    public static Task<int> FollowAsync(ClusterRequest request, Func<Grains, Task<long>> ask, bool endOnly = false) =>
        ConnectedAsync(request, async (grains, leave) =>
    {
        long from = await ask(grains).WaitAsync(leave);
        if (request.Detach)
            return Leave(request);
        try
        {
            using var view = new RunView(request.Run, request.Json, logDir: null, Prompt.For(request.Cluster));
            if (endOnly)
                view.ShowEndOnly();
            return await view.FollowAsync(
                grains.Run(request.Run), from, lost: Task.Delay(Timeout.Infinite, leave), CancellationToken.None, leave);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            return Leave(request);
        }
    });

    private static Task<int> ListAsync(ParseResult result, Func<ClusterListing, Grains, string, Task> list) =>
        ReadAsync(result, request => ConnectedAsync(request, async (grains, leave) =>
    {
        // Lines that nobody reads in a terminal need not fit one.
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = short.MaxValue;
        var listing = new ClusterListing(AnsiConsole.Console, request.Json, Prompt.For(request.Cluster), DateTimeOffset.UtcNow);
        await list(listing, grains, request.Run).WaitAsync(leave);
        return ExitCode.Success;
    }));

    private static async Task<int> ReadAsync(ParseResult result, Func<ClusterRequest, Task<int>> command)
    {
        (ClusterRequest request, IReadOnlyList<string> mistakes) = ClusterRequest.Read(
            result, Environment.GetEnvironmentVariable(CommonFlags.ClusterVariable));
        return mistakes.Count > 0 ? Failure.Report(ExitCode.UserError, mistakes, request.Json) : await command(request);
    }

    private static Task<int> ConnectedAsync(ClusterRequest request, Func<Grains, CancellationToken, Task<int>> command) =>
        Failure.GuardAsync(
        request.Json,
        request.Cluster,
        async stop =>
        {
            await using ClusterConnection connection = await SharedCluster.ConnectAsync(request.Cluster, stop);
            return await command(connection.Grains, stop);
        });

    private static int Leave(ClusterRequest request)
    {
        var prompt = Prompt.For(request.Cluster);
        string[] lines = request.Json
            ? [JsonSerializer.Serialize(new { request.Run }, ContractsJson.Options)]
            :
            [
                $"{request.Run} is left to the cluster.",
                .. Format.Row("watch", prompt.Command($"watch {Prompt.Quote(request.Run)}")),
                .. Format.Row("stop", prompt.Command($"stop {Prompt.Quote(request.Run)}")),
            ];
        foreach (string line in lines)
            Console.WriteLine(line);
        return ExitCode.Success;
    }
}
