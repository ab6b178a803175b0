using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>Silos are updated as Kubernetes does it: the highest ordinal first, each once the one before is ready again.</summary>
[Trait("Needs", "processes")]
public sealed class RollingUpdateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-update-").FullName;

    public void Dispose()
    {
        TestLogs.Keep(_folder);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_rolling_update_loses_no_step_and_changes_nothing_about_the_result()
    {
        RunSpec spec = SmallDigits.Spec with
        {
            Data = SmallDigits.Spec.Data with { DataDir = SmallDigits.Write(_folder) },
            Output = SmallDigits.Spec.Output with { SaveInterval = 1000 },
            Compute = SmallDigits.Spec.Compute with { Workers = 3 },
        };
        using var authority = new Authority("cluster");
        string certificates = authority.Write(Path.Combine(_folder, "tls"), "member");
        var access = new ClusterAccess("secret-of-pixelcnn-redis", ClusterCertificates.Open(certificates));
        await using RedisServer redis = await RedisServer.StartAsync(_folder, FreePorts.Find(1)[0], password: access.RedisPassword);
        using SiloPods pods = new(Manifests.Parse(Manifests.Render("base")).Silos, redis.Address, _folder, certificates);
        await Task.WhenAll(Enumerable.Range(0, pods.Count).Select(pods.StartAsync));
        await using ClusterConnection connection = await ClusterConnection.OpenAsync(
            new(redis.Address), access, TestContext.Current.CancellationToken).WithinAsync(
                Deadline.Generous, "the connection to the cluster");

        FollowedRun updated = await SubmitAsync(connection, "updated", spec);
        await updated.NextAsync<StepCommitted>(step => step.Workers == pods.Count, "a step of all");
        for (int ordinal = pods.Count - 1; ordinal >= 0; ordinal--)
        {
            Assert.Equal((ordinal, 0), (ordinal, await pods.TerminateAsync(ordinal)));
            await pods.StartAsync(ordinal);
        }

        // Of all again after the last one was gone; what is read at once may reach back to when it was not.
        await updated.NextAsync<StepCommitted>(
            step => step.Workers == pods.Count
                && updated.Events.OfType<GenerationOpened>().LastOrDefault(opened => !opened.Workers.Contains("pixelcnn-0")) is { } without
                    && step.Step > without.Step,
            "a step of all new pods");
        RunEnded ended = await updated.StopAsync();

        Assert.Equal(RunOutcome.Stopped, ended.Outcome);
        long[] steps = [.. updated.Events.OfType<StepCommitted>().Select(step => step.Step)];
        Assert.Equal(steps.Distinct().Order(), steps);
        // Only what a starved machine causes, a pod that is taken for dead, may cost a step.
        Assert.Equal(
            0, updated.Events.OfType<GenerationOpened>().Where(
                opened => opened.Kind is GenerationCause.WorkerLeft or GenerationCause.WorkerJoined).Sum(opened => opened.StepsRedone));
        Assert.DoesNotContain(GenerationCause.WorkerFailed, updated.Events.OfType<GenerationOpened>().Select(opened => opened.Kind));
        FollowedRun undisturbed = await SubmitAsync(connection, "undisturbed", spec with
        {
            Limits = spec.Limits with { MaxSteps = ended.Step },
        });
        RunEnded expected = await undisturbed.EndAsync();
        Assert.Equal((RunOutcome.Completed, expected.StateHash), (expected.Outcome, ended.StateHash));
    }

    private async Task<FollowedRun> SubmitAsync(ClusterConnection connection, string name, RunSpec spec)
    {
        spec = spec with { Output = spec.Output with { SaveDir = Path.Combine(_folder, "runs", name) } };
        return new(name, spec, connection.Grains.Run(name), await connection.Grains.Cluster.SubmitAsync(name, spec));
    }
}
