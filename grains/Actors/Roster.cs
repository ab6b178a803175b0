using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors;

/// <summary>
/// The workers that a run may use: those that the cluster has allotted to it, less those whose work failed. Tells when a
/// generation is no longer the best that can be had. Used from one coordinator's turns only.
/// </summary>
internal sealed class Roster(Func<string, IWorkerGrain> find, TimeProvider time)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1), FarewellPatience = TimeSpan.FromMinutes(1), WaitWorthTelling = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Exception> unfit = [];
    private readonly Dictionary<string, Task> preparing = [];
    private readonly HashSet<string> engaged = [];
    private IReadOnlyList<string> allotted = [];
    private TimeSpan? patience;
    private TaskCompletionSource changed = new();

    private IEnumerable<string> Fit => allotted.Where(worker => !unfit.ContainsKey(worker));

    public void Allot(IReadOnlyList<string> workers)
    {
        foreach (string gone in unfit.Keys.Concat(preparing.Keys).Except(workers).ToList())
        {
            unfit.Remove(gone);
            preparing.Remove(gone);
        }

        allotted = workers;
        Announce();
    }

    /// <summary>Lets a wait for workers end after so long.</summary>
    public void Close(TimeSpan after)
    {
        patience = after;
        Announce();
    }

    /// <summary>The worker is about to serve the run, and so is to be told when the run does without it.</summary>
    public void Engage(string worker) => engaged.Add(worker);

    /// <summary>The newest that was opened, or is about to be.</summary>
    public int Generation { get; set; }

    /// <summary>Lets all workers go without a word.</summary>
    public void Forget() => engaged.Clear();

    /// <summary>The worker has not been let go.</summary>
    public bool IsEngaged(string worker) => engaged.Contains(worker);

    /// <summary>The run has workers, or is to have some.</summary>
    public bool HasAny => allotted.Count > 0;

    /// <summary>Lets all workers go that were engaged, but some.</summary>
    public void Dismiss(string run, int generation, IEnumerable<string> but)
    {
        foreach (string worker in engaged.Except(but).ToList())
        {
            engaged.Remove(worker);
            _ = DismissAsync(worker, run, generation);
        }
    }

    public bool IsAllotted(string worker) => allotted.Contains(worker);

    public bool IsUnfit(string worker) => unfit.ContainsKey(worker);

    public void DeclareUnfit(string worker, Exception fault) => unfit[worker] = fault;

    /// <summary>The workers to open a generation with, as soon as there is one; none if the wait was ended. One that still reads the data comes later if there is another.</summary>
    /// <param name="onWait">Called if there is none for a while.</param>
    /// <param name="mayGiveUp">End the wait then.</param>
    /// <exception cref="Exception">The fault of the last worker, when every one that the run has was declared unfit.</exception>
    public async Task<IReadOnlyList<string>> CandidatesAsync(Action onWait, bool mayGiveUp)
    {
        long begun = time.GetTimestamp();
        for (bool told = false; ;)
        {
            string[] fit = [.. Fit], ready = [.. fit.Where(worker => preparing.GetValueOrDefault(worker) is not { IsCompleted: false })];
            if (fit.Length > 0)
                return ready.Length > 0 ? ready : fit;
            if (allotted.Count > 0)
                throw unfit.Values.OfType<UserErrorException>().FirstOrDefault() ?? unfit.Values.Last();
            if (time.GetElapsedTime(begun) >= patience)
                return [];
            // A coordinator that has just come back is told its workers at once.
            await Task.WhenAny(changed.Task, Task.Delay(WaitWorthTelling, time));
            if (allotted.Count > 0 || time.GetElapsedTime(begun) < WaitWorthTelling)
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

    /// <summary>Why another generation should take the place of one with these members; null if none should. Newcomers are let in when they have read the data.</summary>
    public RegroupException? ReasonToRegroup(IReadOnlyList<string> members, RunSpec spec)
    {
        if (members.FirstOrDefault(member => !IsAllotted(member)) is { } leaver)
            return new(GenerationCause.WorkerLeft, $"{leaver} left");
        foreach (string newcomer in Fit.Except(members))
        {
            if (!preparing.TryGetValue(newcomer, out Task? prepared))
                preparing[newcomer] = PrepareAsync(newcomer, spec);
            else if (prepared.IsCompleted)
            {
                preparing.Remove(newcomer);
                return new(GenerationCause.WorkerJoined, $"{newcomer} joined");
            }
        }

        return null;
    }

    /// <summary>Tells a worker that the run does without it, until it has heard or is lost.</summary>
    private async Task DismissAsync(string worker, string run, int generation)
    {
        for (long begun = time.GetTimestamp(); time.GetElapsedTime(begun) < FarewellPatience;)
        {
            try
            {
                await find(worker).LeaveAsync(run, generation);
                return;
            }
            catch (Exception)
            {
                await Task.Delay(RetryDelay, time);
            }
        }
    }

    private async Task PrepareAsync(string worker, RunSpec spec)
    {
        while (IsAllotted(worker))
        {
            try
            {
                await find(worker).PrepareAsync(spec);
                return;
            }
            catch (UserErrorException)
            {
                // Joining will fail in the same way, and be told.
                return;
            }
            catch (Exception)
            {
                await Task.Delay(RetryDelay, time);
            }
        }
    }

    private void Announce()
    {
        TaskCompletionSource announced = changed;
        changed = new();
        announced.SetResult();
    }
}
