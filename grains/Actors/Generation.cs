using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>A fixed set of a run's workers. The position of a worker decides its share of the work.</summary>
internal sealed class Generation(int number, IReadOnlyList<IWorkerGrain> workers)
{
    public int Number => number;

    public IReadOnlyList<IWorkerGrain> Workers => workers;

    /// <summary>The worker that writes checkpoints; all hold the same state.</summary>
    public IWorkerGrain First => workers[0];

    /// <summary>Asks every worker; the first that fails ends the wait.</summary>
    /// <returns>The answers, in the workers' order.</returns>
    /// <exception cref="WorkerFaultException">A worker died, cannot be reached, or its work threw.</exception>
    /// <exception cref="UserErrorException">A worker found a mistake of the user's.</exception>
    public async Task<T[]> AskAsync<T>(Func<IWorkerGrain, Task<T>> ask)
    {
        Task<T>[] answers = [.. workers.Select(worker => NamedAsync(worker, ask(worker)))];
        await foreach (Task<T> answer in Task.WhenEach(answers))
            await answer;
        return [.. answers.Select(answer => answer.Result)];
    }

    /// <summary>Shares [0, <paramref name="count"/>) out evenly, and asks each worker for its part.</summary>
    public Task<T[]> ShareAsync<T>(int count, Func<IWorkerGrain, ShardRange, Task<T>> ask)
    {
        int rank = 0;
        return AskAsync(worker => ask(worker, ShardRange.ShareOf(count, rank++, workers.Count)));
    }

    private static async Task<T> NamedAsync<T>(IWorkerGrain worker, Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (Exception fault) when (fault is not (UserErrorException or WorkerFaultException))
        {
            throw new WorkerFaultException(worker.GetPrimaryKeyString(), fault);
        }
    }
}
