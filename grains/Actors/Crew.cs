using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>A fixed set of a run's workers: one generation. The position of a worker decides its share of the work.</summary>
internal sealed class Crew(string run, int generation, IReadOnlyList<string> workers, Func<string, IWorkerGrain> find, Roster roster)
{
    public string Run => run;

    public int Generation => generation;

    public IReadOnlyList<string> Workers => workers;

    /// <summary>None of its workers has been taken from the run.</summary>
    public bool IsComplete => workers.All(roster.IsAllotted);

    /// <summary>The worker that writes checkpoints; all hold the same state.</summary>
    public string First => workers[0];

    /// <summary>Asks a worker, and again when the answer does not come in time: as long as it has not been let go, it is busy and not lost.</summary>
    /// <param name="outlives">The answer is wanted even when the next generation has begun.</param>
    /// <exception cref="WorkerFaultException">The worker died, cannot be reached, or its work threw.</exception>
    /// <exception cref="UserErrorException">The worker found a mistake of the user's.</exception>
    public async Task<T> AskAsync<T>(string worker, Func<IWorkerGrain, Task<T>> ask, bool outlives = false)
    {
        while (true)
        {
            try
            {
                return await ask(find(worker));
            }
            catch (TimeoutException) when (roster.IsEngaged(worker) && (outlives || roster.Generation == generation))
            {
            }
            catch (Exception fault) when (fault is not (UserErrorException or WorkerFaultException))
            {
                throw new WorkerFaultException(worker, fault);
            }
        }
    }

    /// <summary>Asks every worker; the first that fails ends the wait.</summary>
    /// <returns>The answers, in the workers' order.</returns>
    public async Task<T[]> AskAllAsync<T>(Func<string, IWorkerGrain, Task<T>> ask)
    {
        Task<T>[] answers = [.. workers.Select(worker => AskAsync(worker, grain => ask(worker, grain)))];
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
}
