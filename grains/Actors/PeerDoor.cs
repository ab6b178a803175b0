using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors;

/// <summary>
/// Chunks go from grain to grain. A call that fails is repeated until it succeeds or the generation is over: whether a peer is lost is not for
/// a worker to decide.
/// </summary>
internal sealed class PeerDoor(Func<string, IWorkerGrain> find, IReadOnlyList<string> workers, Action<int> sent, TimeProvider time, CancellationToken over) : IChunkDoor
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    /// <exception cref="OperationCanceledException">The generation ended first.</exception>
    public async Task SendAsync(int rank, GradientChunk chunk)
    {
        while (true)
        {
            over.ThrowIfCancellationRequested();
            try
            {
                await find(workers[rank]).DeliverAsync(chunk).WaitAsync(over);
                sent(chunk.Data.Length);
                return;
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                await Task.Delay(RetryDelay, time, over);
            }
        }
    }
}
