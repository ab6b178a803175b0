using System.CommandLine;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Client.Models;

/// <summary>A command's use of a trained model, on a shared cluster or on one of this machine's own.</summary>
internal static class ModelSession
{
    public const string RunsDir = "runs";

    /// <summary>
    /// Finds the model, checks what is asked for, and has a cluster do it. On this machine a wrong request is told before a silo starts.
    /// </summary>
    /// <param name="read">Reads the command's own flags and adds what is wrong with them to the mistakes; its result is only used if there
    /// is none.</param>
    /// <param name="plan">What is to be done with the model.</param>
    /// <param name="work">Does it.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> UseAsync<TOptions, TPlan>(
        ParseResult result, Func<ModelRequest, List<string>, TOptions> read, Func<ModelInfo, TOptions, TPlan> plan,
        Func<ClusterSession, ModelInfo, TOptions, TPlan, CancellationToken, Task> work) =>
        RunAsync(result, read, async (request, options, stop) =>
        {
            if (request.Cluster is null)
            {
                ModelInfo found = Sound(ModelFiles.Find(Path.GetFullPath(request.Model ?? NewestHere())));
                TPlan planned = plan(found, options);
                await using ClusterSession session = await ClusterSession.OpenAsync(null, stop);
                await work(session, found, options, planned, stop);
            }
            else
            {
                await using ClusterSession session = await ClusterSession.OpenAsync(request.Cluster, stop);
                string model = request.Model
                    ?? ((await session.Grains.Cluster.RunsAsync().WaitAsync(stop)) is [var newest, ..] ? newest.Run : null)
                    ?? throw new UserErrorException($"The cluster at {request.Cluster} has no run yet; name a checkpoint with --model.");
                ModelInfo found = Sound(await session.Grains.Models().FindAsync(model).WaitAsync(stop));
                await work(session, found, options, plan(found, options), stop);
            }
        });

    /// <summary>Reads a command line and does what it asks for; a signal ends it.</summary>
    public static async Task<int> RunAsync<TOptions>(
        ParseResult result, Func<ModelRequest, List<string>, TOptions> read, Func<ModelRequest, TOptions, CancellationToken, Task> work)
    {
        var mistakes = new List<string>();
        var request = ModelRequest.Read(result, Environment.GetEnvironmentVariable(CommonFlags.ClusterVariable), mistakes);
        TOptions options = read(request, mistakes);
        if (mistakes.Count > 0)
            return Failure.Report(ExitCode.UserError, mistakes, request.Json);
        return await Failure.GuardAsync(request.Json, request.Cluster, async stop =>
        {
            await work(request, options, stop);
            return ExitCode.Success;
        });
    }

    /// <summary>Has the cluster do a job to its end.</summary>
    /// <exception cref="UserErrorException">The job cannot be done.</exception>
    public static Task DoAsync(ClusterSession session, Job job, Action<JobEvent> show, CancellationToken stop) =>
        new JobWatch(session.Grains.Job(Guid.NewGuid()), job, show, session.Lost, TimeProvider.System).FollowAsync(stop);

    /// <exception cref="UserErrorException">The job has mistakes.</exception>
    public static T Checked<T>(this T job)
        where T : Job => job.Validate() is [_, ..] mistakes ? throw new UserErrorException(string.Join(' ', mistakes)) : job;

    /// <exception cref="InvalidDataException">The model has diverged.</exception>
    private static ModelInfo Sound(ModelInfo model) => model.IsDiverged
        ? throw new InvalidDataException(
            $"{model.Path} has diverged: its numbers are not finite. Name an earlier checkpoint with --model.")
        : model;

    private static string NewestHere() =>
        (Directory.Exists(RunsDir)
            ? Directory.EnumerateDirectories(RunsDir).Select(CheckpointHeader.Newest).OfType<string>().MaxBy(File.GetLastWriteTimeUtc)
                : null)
        ?? throw new UserErrorException($"There is no trained model in {RunsDir}; train one, or name a checkpoint with --model.");
}
