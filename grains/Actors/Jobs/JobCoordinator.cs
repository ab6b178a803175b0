using System.Diagnostics;
using PixelCnnCluster.Actors.Telemetry;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>
/// Shares one job out over the samplers that there are, part by part, so that fast ones do more. What a lost one had not finished is done
/// by another; the results do not depend on who did what. Called from one scheduler's turns only.
/// </summary>
/// <param name="isWanted">False when nobody waits for the results any more.</param>
internal sealed class JobCoordinator(
    Guid id, Job job, JobCluster cluster, Action<JobEvent> tell, TimeProvider time, Func<bool> isWanted)
{
    /// <summary>Most images that a sampler is given at once where nobody says how many.</summary>
    private const int MostAtOnce = 64;

    /// <summary>How often to look for samplers that have come, and how long one that was lost is left alone.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A sampler that is away for longer is not awaited where all others have failed.</summary>
    private static readonly TimeSpan Away = TimeSpan.FromMinutes(1);

    private readonly PriorityQueue<Part, int> _pending = new();
    private readonly Dictionary<string, Task> _busy = [];
    private readonly UnfitWorkers _unfit = new(cluster.ProcessOf, time);
    private readonly Dictionary<string, long> _seen = [];
    private bool _isAwaiting, _isOver;

    /// <summary>Does the job; its last event says how it ended.</summary>
    public async Task RunAsync()
    {
        using Activity? span = Traces.Begin("job", ("job", id), ("kind", job.GetType().Name), ("images", job.Count));
        try
        {
            if (job.Validate() is [_, ..] mistakes)
                throw new UserErrorException(string.Join(' ', mistakes));
            int count = await CountAsync();
            Tell(new JobStarted(count));
            int sharers = Math.Max(1, cluster.Samplers().Count), atOnce = job.Batch
                ?? Math.Clamp((count + sharers - 1) / sharers, 1, MostAtOnce);
            for (int first = 0; first < count; first += atOnce)
                _pending.Enqueue(new(first, Math.Min(first + atOnce, count)), first);
            while (_pending.Count > 0 || _busy.Count > 0)
                await AdvanceAsync(
                    (sampler, part) => job is SampleJob sample
                        ? SampleAsync(sample, sampler, part)
                        : ScoreAsync((ScoreJob)job, sampler, part));
            Tell(new JobEnded(Error: null, UserError: false));
        }
        catch (Exception fault)
        {
            Tell(new JobEnded(fault.Message, fault is UserErrorException));
        }
    }

    /// <summary>Images of the job; only a sampler knows how many a data set has.</summary>
    private async Task<int> CountAsync()
    {
        int count = job.Count;
        if (job is ScoreJob { DataSet: { } half })
        {
            _pending.Enqueue(new(0, 0), 0);
            while (_pending.Count > 0 || _busy.Count > 0)
                await AdvanceAsync(
                    async (sampler, _) => count = Math.Min(job.Count, await AskAsync(sampler, grain => grain.CountAsync(half, job.Model))));
        }

        return count;
    }

    /// <summary>Gives parts to samplers that have none, and waits until one is done or samplers may have come.</summary>
    /// <exception cref="Exception">A sampler's fault, when there is none whose work has not failed, and none is merely away.</exception>
    private async Task AdvanceAsync(Func<string, Part, Task> work)
    {
        CheckWanted();
        IReadOnlyList<string> all = cluster.Samplers();
        foreach (string sampler in all)
            _seen[sampler] = time.GetTimestamp();
        foreach (string sampler in all.Where(sampler => !_busy.ContainsKey(sampler) && !_unfit.Contains(sampler)))
        {
            if (_pending.TryDequeue(out Part? part, out _))
                _busy.Add(sampler, TryAsync(sampler, part, work));
        }

        if (_busy.Count == 0 && IsHopeless)
            throw _unfit.Fault;
        if (_busy.Count == 0 && !_isAwaiting)
            Tell(new SamplersAwaited());
        _isAwaiting = _busy.Count == 0;
        await Task.WhenAny([.. _busy.Values, Task.Delay(Pause, time)]);
        foreach ((string sampler, Task done) in _busy.Where(entry => entry.Value.IsCompleted).ToList())
        {
            _busy.Remove(sampler);
            await done;
        }
    }

    /// <summary>All that there are, or were a while ago, have failed.</summary>
    private bool IsHopeless =>
        _seen.Keys.Any(_unfit.Contains) && _seen.All(one => _unfit.Contains(one.Key) || time.GetElapsedTime(one.Value) > Away);

    /// <summary>
    /// Whether a sampler's process has ended at the part. If another ends that had it after that, the part may be what ends them, and each
    /// may be a silo that trains as well: no third is asked.
    /// </summary>
    /// <exception cref="InvalidOperationException">Two have ended so.</exception>
    private bool HasEndedOne(Part part)
    {
        Trial[] ended = [.. part.Lost.Where(trial => trial.Process is not null && cluster.ProcessOf(trial.Sampler) != trial.Process)];
        return !ended.Any(trial => trial.IsSecond) ? ended.Length > 0 : throw new InvalidOperationException(
            $"{string.Join(" and ", ended.Select(trial => trial.Sampler).Distinct())} ended while they had the same images to do, so no " +
            $"other is asked; see the silos' logs. If they were stopped on purpose, begin again.");
    }

    private async Task TryAsync(string sampler, Part part, Func<string, Part, Task> work)
    {
        var trial = new Trial(sampler, cluster.ProcessOf(sampler), HasEndedOne(part));
        int rows = part.Rows;
        using Activity? span = Traces.Begin("part", ("job", id), ("sampler", sampler), ("first", part.First), ("end", part.End));
        try
        {
            await work(sampler, part);
        }
        catch (UserErrorException mistake)
        {
            // Another may have the files that this one lacks. If none has, the job's end tells the mistake.
            _pending.Enqueue(part, part.First);
            _unfit.Add(sampler, mistake);
            if (!IsHopeless)
                Tell(new SamplerLost(sampler, mistake.Message));
        }
        catch (WorkerFaultException fault)
        {
            _pending.Enqueue(part, part.First);
            if (part.Rows > rows)
            {
                part.Lost.Clear();
                trial = trial with { IsSecond = false };
            }

            part.Lost.Add(trial);
            Tell(new SamplerLost(sampler, fault.InnerException!.Message));
            // One whose work throws would throw again.
            if (!fault.IsLoss)
                _unfit.Add(sampler, fault);
            await Task.Delay(Pause, time);
        }
    }

    private async Task SampleAsync(SampleJob sample, string sampler, Part part)
    {
        SampleRowsRequest request = new()
        {
            Job = id,
            Model = sample.Model,
            First = part.First,
            End = part.End,
            Seed = sample.Seed,
            Class = sample.Class,
            MixtureTemperature = sample.MixtureTemperature,
            LogisticTemperature = sample.LogisticTemperature,
            Given = sample.Given is { } given
                ? [.. Enumerable.Range(part.First, part.End - part.First).SelectMany(i => Image(given.Images, i / given.Each))]
                : null,
            Mask = sample.Given?.Mask,
        };
        while (part.Rows < sample.Model.Size)
        {
            SampleRowsResponse response = await AskAsync(sampler, grain => grain.SampleAsync(request, part.Rows));
            foreach (byte[] row in response.Rows)
                Tell(new RowSampled(part.First, part.End, part.Rows++, row));
        }
    }

    private async Task ScoreAsync(ScoreJob score, string sampler, Part part)
    {
        int bytes = score.Model.ImageBytes;
        ScoreRequest request = new()
        {
            Job = id,
            Model = score.Model,
            First = part.First,
            End = part.End,
            Images = score.Images?[(part.First * bytes)..(part.End * bytes)],
            Class = score.Class,
            DataSet = score.DataSet,
            Maps = score.Maps,
        };
        Tell(await AskAsync(sampler, grain => grain.ScoreAsync(request)));
    }

    private ArraySegment<byte> Image(byte[] images, int number) => new(images, number * job.Model.ImageBytes, job.Model.ImageBytes);

    /// <summary>
    /// Asks a sampler, and again when the answer does not come in time: as long as its silo is in the cluster, it is busy and not lost.
    /// </summary>
    /// <exception cref="WorkerFaultException">The sampler died, cannot be reached, hangs, or its work threw.</exception>
    private async Task<T> AskAsync<T>(string sampler, Func<ISamplerGrain, Task<T>> ask)
    {
        TimeSpan timeout = job is ScoreJob { DataSet: not null } ? cluster.Timeouts.Data : cluster.Timeouts.Answer;
        for (long asked = time.GetTimestamp(); ;)
        {
            CheckWanted();
            try
            {
                return await ask(cluster.Find(sampler));
            }
            catch (TimeoutException)
            {
                if (time.GetElapsedTime(asked) >= timeout)
                    throw new WorkerFaultException(
                        sampler, new InvalidOperationException($"it has not answered within {timeout.TotalSeconds:F0} s"));
            }
            catch (Exception fault) when (fault is not UserErrorException)
            {
                throw new WorkerFaultException(sampler, fault);
            }
        }
    }

    /// <summary>When the job has failed, samplers may still be at work; nobody hears of it.</summary>
    private void Tell(JobEvent e)
    {
        if (_isOver)
            return;
        _isOver = e is JobEnded;
        tell(e);
    }

    private void CheckWanted()
    {
        if (_isOver || !isWanted())
            throw new OperationCanceledException("Nobody waits for the results any more.");
    }

    /// <summary>Images number [First, End), the first rows of which are told.</summary>
    private sealed record Part(int First, int End)
    {
        public int Rows { get; set; }

        /// <summary>Trials in which the sampler was lost, since the part last went forward.</summary>
        public List<Trial> Lost { get; } = [];
    }

    /// <param name="IsSecond">The part had ended another before, and has not gone forward since.</param>
    private sealed record Trial(string Sampler, string? Process, bool IsSecond);
}
