using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>A fixed set of a run's workers: one generation. The position of a worker decides its share of the work.</summary>
/// <param name="answerTimeout">How long one thing that is asked of a worker may take.</param>
internal sealed class Generation(
    string run, GenerationId id, IReadOnlyList<string> workers, WorkerPool pool, Func<TimeSpan> answerTimeout, TimeProvider time)
{
    private JoinResponse? _facts;
    private DataOrder? _order;

    public string Run => run;

    public GenerationId Id => id;

    public int Number => id.Number;

    public IReadOnlyList<string> Workers => workers;

    /// <summary>None of its workers has been taken from the run.</summary>
    public bool IsComplete => workers.All(pool.IsAssigned);

    /// <summary>Another generation, or the run's end, is to follow: what can wait is left to it.</summary>
    public bool IsEnding => pool.IsClosed || !IsComplete;

    /// <summary>
    /// Where the generation begins, and what the run's data and network look like. All workers have joined before anybody asks.
    /// </summary>
    public JoinResponse Facts => _facts ?? throw new InvalidOperationException("The workers are yet to join.");

    /// <summary>Which images the steps use. All workers have joined before anybody asks.</summary>
    public DataOrder Order => _order ?? throw new InvalidOperationException("The workers are yet to join.");

    /// <summary>All workers have joined, in the same state.</summary>
    public void Begin(JoinResponse facts, RunSpec spec)
    {
        _facts = facts;
        _order = new(facts.TrainImages, spec.Optimiser.BatchSize, spec.Optimiser.Shards, spec.Optimiser.Seed, facts.Step, facts.Images);
    }

    /// <summary>
    /// Asks a worker, and again when the answer does not come in time: as long as it has not been let go, it is busy and not lost.
    /// </summary>
    /// <param name="timeout">After which it counts as hung; null for the usual.</param>
    /// <param name="outlives">The answer is wanted even when the next generation has begun.</param>
    /// <exception cref="WorkerFaultException">The worker died, cannot be reached, hangs, or its work threw.</exception>
    /// <exception cref="UserErrorException">The worker found a mistake of the user's.</exception>
    public async Task<T> AskAsync<T>(string worker, Func<IWorkerGrain, Task<T>> ask, TimeSpan? timeout = null, bool outlives = false)
    {
        TimeSpan most = timeout ?? answerTimeout();
        long asked = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask(pool.Find(worker));
            }
            catch (TimeoutException) when (pool.IsClaimed(worker) && (outlives || pool.Generation == id.Number))
            {
                if (time.GetElapsedTime(asked) >= most)
                    throw Late(worker, $"it has not answered within {most.TotalSeconds:F0} s", isLeftOut: !outlives);
            }
            catch (Exception fault) when (fault is not (UserErrorException or WorkerFaultException))
            {
                throw new WorkerFaultException(worker, fault);
            }
        }
    }

    /// <summary>Asks every worker; the first that fails ends the wait.</summary>
    /// <returns>The answers, in the workers' order.</returns>
    public async Task<T[]> AskAllAsync<T>(Func<string, IWorkerGrain, Task<T>> ask, TimeSpan? timeout = null)
    {
        Task<T>[] answers = [.. workers.Select(worker => AskAsync(worker, grain => ask(worker, grain), timeout))];
        for (List<Task<T>> pending = [.. answers]; pending.Count > 0;)
        {
            Task<T> answer = await Task.WhenAny(pending);
            await answer;
            pending.Remove(answer);
        }

        return [.. answers.Select(answer => answer.Result)];
    }

    /// <summary>Shares [0, <paramref name="count"/>) out evenly, and asks each worker for its part.</summary>
    public Task<T[]> ShareAsync<T>(int count, Func<IWorkerGrain, ShardRange, Task<T>> ask)
    {
        string[] order = [.. workers];
        return AskAllAsync((worker, grain) => ask(grain, ShardRange.ShareOf(count, Array.IndexOf(order, worker), order.Length)));
    }

    /// <summary>A worker that hangs is left out; one that is alone is only lost, for there is nobody to go on without it.</summary>
    public WorkerFaultException Late(string worker, string what, bool isLeftOut = true) =>
        new(worker, workers.Count == 1 || !isLeftOut ? new TimeoutException(what)
            : new InvalidOperationException($"{what}, and is left out"));
}
