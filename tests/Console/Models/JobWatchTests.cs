using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Models;
using PixelCnnCluster.Console.Tests.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>A job that is lost with its silo is begun again, unless it may be what ends the silos.</summary>
public sealed class JobWatchTests
{
    private static readonly SampleJob Job = new()
    {
        Model = new()
        {
            Path = "/model",
            Run = "run",
            Step = 1,
            StateHash = "hash",
            Channels = 1,
            Size = 8,
            Spec = Presets.Quick,
        },
        Count = 1,
        Seed = 1,
    };

    private static readonly JobEnded Done = new(Error: null, UserError: false);

    [Fact]
    public async Task A_job_that_was_lost_once_is_begun_again_and_ends()
    {
        var grain = new LosingJob([[new JobStarted(1)], [new JobStarted(1), Row(0), Done]]);

        await FollowAsync(grain);

        Assert.Equal(2, grain.Beginnings);
    }

    [Fact]
    public async Task A_job_that_is_lost_twice_where_it_was_is_not_given_to_a_third_silo()
    {
        var grain = new LosingJob([[new JobStarted(1), Row(0)], [new JobStarted(1), Row(0)], [new JobStarted(1), Row(0), Done]]);

        ClusterFaultException fault = await Assert.ThrowsAsync<ClusterFaultException>(() => FollowAsync(grain));

        Assert.Contains("ended twice before the job got any further", fault.Message, StringComparison.Ordinal);
        Assert.Equal(2, grain.Beginnings);
    }

    /// <summary>As when silos are stopped one after the other.</summary>
    [Fact]
    public async Task A_job_that_gets_further_each_time_goes_on()
    {
        IEnumerable<JobEvent[]> further = Enumerable.Range(0, 5).Select(rows => (JobEvent[])[.. Enumerable.Range(0, rows).Select(Row)]);
        var grain = new LosingJob([.. further, [Done]]);

        await FollowAsync(grain);

        Assert.Equal(6, grain.Beginnings);
    }

    private static RowSampled Row(int row) => new(0, 1, row, new byte[8]);

    private static Task FollowAsync(IJobGrain grain) => new JobWatch(
        grain, Job, _ => { }, new TaskCompletionSource().Task, new ManualTime()).FollowAsync(TestContext.Current.CancellationToken);

    /// <summary>Is lost after what each beginning tells.</summary>
    private sealed class LosingJob(IReadOnlyList<JobEvent[]> told) : IJobGrain
    {
        private bool _isThere;

        public int Beginnings { get; private set; }

        public Task BeginAsync(Job job)
        {
            Beginnings++;
            _isThere = true;
            return Task.CompletedTask;
        }

        public Task<JobProgress?> ReadAsync(int from)
        {
            JobEvent[] events = _isThere ? told[Beginnings - 1] : [];
            _isThere = _isThere && from == 0 && events.Length > 0;
            return Task.FromResult(_isThere ? new JobProgress(events, events.Length) : null);
        }

        public Task EndAsync() => Task.CompletedTask;
    }
}
