using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// The workers that a run may use: those that the cluster has assigned to it, less those whose work failed. Tells when a
/// generation is no longer the best that can be had. Used from one coordinator's turns only.
/// </summary>
/// <param name="onUnfit">Told each worker whose work failed.</param>
internal sealed class WorkerPool(RunCluster cluster, TimeProvider time, Action<string, Exception> onUnfit)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1), ReleaseTimeout = TimeSpan.FromMinutes(1),
        WaitWorthTelling = TimeSpan.FromSeconds(1), GoneFor = TimeSpan.FromSeconds(5);

    private readonly UnfitWorkers _unfit = new(cluster.ProcessOf, time);
    private readonly Dictionary<string, Task> _loading = [];
    private readonly HashSet<string> _claimed = [], _known = [];
    private readonly Dictionary<string, (string? Process, long At)> _gone = [];
    private IReadOnlyList<string> _assigned = [], _passedOver = [];
    private TimeSpan? _waitTimeout;
    private readonly Signal _changed = new(time);

    /// <summary>Workers that the run does without, because their work failed.</summary>
    public IReadOnlyList<string> Unfit => _unfit.Names;

    /// <summary>A worker can serve the run, or is about to.</summary>
    public bool HasFit => Fit.Any();

    private IEnumerable<string> Fit => _assigned.Where(worker => !_unfit.Contains(worker) && !IsGone(worker));

    /// <summary>No worker of the run is merely away, and the cluster has no other to try.</summary>
    private bool IsHopeless => Unfit is [_, ..] names && !_known.Except(names).Any() && !names.Except(_passedOver).Any();

    /// <param name="unfit">Those that the cluster has passed over, because the run had told that they are.</param>
    public void Assign(IReadOnlyList<string> workers, IReadOnlyList<string> unfit)
    {
        foreach (string gone in _loading.Keys.Except(workers).ToList())
            _loading.Remove(gone);
        (_assigned, _passedOver) = (workers, unfit);
        NoteKnown(workers);
        _changed.Raise();
    }

    /// <summary>The run is told to stop, or its coordinator leaves.</summary>
    public bool IsClosed => _waitTimeout is not null;

    /// <summary>Lets a wait for workers end after so long: the run, or its coordinator, is about to end.</summary>
    public void Close(TimeSpan after)
    {
        _waitTimeout = after;
        _changed.Raise();
    }

    /// <summary>The grain of a worker. Throws if the cluster has no such worker.</summary>
    public IWorkerGrain Find(string worker) => cluster.Find(worker);

    /// <summary>The worker is about to serve the run, and so is to be told when the run does without it.</summary>
    public void Claim(string worker) => _claimed.Add(worker);

    /// <summary>The newest that was opened, or is about to be.</summary>
    public int Generation { get; set; }

    /// <summary>Lets all workers go without telling them.</summary>
    public void Forget() => _claimed.Clear();

    /// <summary>The worker has not been let go.</summary>
    public bool IsClaimed(string worker) => _claimed.Contains(worker);

    /// <summary>Lets all workers go but some.</summary>
    public void ReleaseAllBut(string run, int generation, IEnumerable<string> but)
    {
        foreach (string worker in _claimed.Except(but).ToList())
        {
            _claimed.Remove(worker);
            _ = ReleaseAsync(worker, run, generation);
        }
    }

    /// <summary>A worker's process has ended, though the cluster may not know it yet. One that lives after all is let in again.</summary>
    public void NoteGone(string worker) => _gone[worker] = (cluster.ProcessOf(worker), time.GetTimestamp());

    private bool IsGone(string worker) =>
        _gone.TryGetValue(worker, out (string? Process, long At) known) && cluster.ProcessOf(worker) == known.Process
            && time.GetElapsedTime(known.At) < GoneFor;

    public bool IsAssigned(string worker) => _assigned.Contains(worker);

    public bool IsFit(string worker) => Fit.Contains(worker);

    public bool IsUnfit(string worker) => _unfit.Contains(worker);

    /// <summary>The run does without the worker for a while.</summary>
    public void DeclareUnfit(string worker, Exception fault)
    {
        _unfit.Add(worker, fault);
        onUnfit(worker, fault);
    }

    /// <summary>Workers of the run: when they are away, they are awaited.</summary>
    public void NoteKnown(IEnumerable<string> workers) => _known.UnionWith(workers);

    /// <summary>
    /// The workers to open a generation with, as soon as there is one; none if the wait was ended. One that still reads the data comes
    /// later if there is another.
    /// </summary>
    /// <param name="onWait">Called if there is none for a while.</param>
    /// <param name="mayGiveUp">End the wait then.</param>
    /// <param name="mayWait">The run has trained, so what a worker lacks, such as its data, is awaited until it is there again.</param>
    /// <exception cref="Exception">A worker's fault, when all that there are were declared unfit and the wait must not end
    /// otherwise.</exception>
    public async Task<IReadOnlyList<string>> CandidatesAsync(Action onWait, bool mayGiveUp, bool mayWait)
    {
        long begun = time.GetTimestamp();
        for (bool told = false; ;)
        {
            string[] fit = [.. Fit], ready = [.. fit.Where(worker => _loading.GetValueOrDefault(worker) is not { IsCompleted: false })];
            if (fit.Length > 0)
                return ready.Length > 0 ? ready : fit;
            if (IsHopeless && mayGiveUp)
                return [];
            if (IsHopeless && !(mayWait && _unfit.Fault is UserErrorException))
                throw _unfit.Fault;
            if (time.GetElapsedTime(begun) >= _waitTimeout)
                return [];
            // A coordinator that has just come back is told its workers at once.
            await _changed.WaitAsync(WaitWorthTelling);
            if (HasFit || time.GetElapsedTime(begun) < WaitWorthTelling)
                continue;
            if (mayGiveUp)
                return [];
            if (!told)
            {
                told = true;
                onWait();
            }
        }
    }

    /// <summary>
    /// Why another generation should take the place of one with these members; null if none should. Newcomers are let in when they have
    /// read the data.
    /// </summary>
    public GenerationOutcome.Regroup? ReasonToRegroup(IReadOnlyList<string> members, RunSpec spec)
    {
        if (members.FirstOrDefault(member => !IsAssigned(member)) is { } leaver)
            return new(GenerationCause.WorkerLeft, $"{leaver} left");
        foreach (string newcomer in Fit.Except(members).ToList())
        {
            if (!_loading.TryGetValue(newcomer, out Task? prepared))
                LoadData(newcomer, spec);
            else if (prepared.IsCompleted)
            {
                _loading.Remove(newcomer);
                if (prepared.Exception?.InnerException is { } mistake)
                {
                    DeclareUnfit(newcomer, mistake);
                    continue;
                }

                return new(GenerationCause.WorkerJoined, $"{newcomer} joined");
            }
        }

        return null;
    }

    /// <summary>Has a worker read the data, beside what goes on. It is let in when it has.</summary>
    public void LoadData(string worker, RunSpec spec)
    {
        if (!_loading.ContainsKey(worker))
            _loading[worker] = LoadDataAsync(worker, spec);
    }

    /// <summary>Tells a worker that the run does without it, until it has heard or is lost.</summary>
    private async Task ReleaseAsync(string worker, string run, int generation)
    {
        for (long begun = time.GetTimestamp(); time.GetElapsedTime(begun) < ReleaseTimeout;)
        {
            try
            {
                await cluster.Find(worker).LeaveAsync(run, generation);
                return;
            }
            catch (Exception)
            {
                await Task.Delay(RetryDelay, time);
            }
        }
    }

    private async Task LoadDataAsync(string worker, RunSpec spec)
    {
        for (long begun = time.GetTimestamp(); IsAssigned(worker);)
        {
            if (time.GetElapsedTime(begun) > cluster.Timeouts.Data)
                throw new TimeoutException($"{worker} has not read the data within {cluster.Timeouts.Data.TotalMinutes:F0} minutes.");
            try
            {
                await cluster.Find(worker).LoadDataAsync(spec);
                return;
            }
            catch (Exception fault) when (fault is not UserErrorException)
            {
                await Task.Delay(RetryDelay, time);
            }
        }
    }
}
