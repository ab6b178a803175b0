using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Jobs;

/// <summary>How many jobs one silo keeps at a time: their results are held in memory until they are read.</summary>
public sealed class JobSlots
{
    private const int Most = 32;

    private int _taken;

    /// <exception cref="UserErrorException">All are taken.</exception>
    public void Take()
    {
        if (Interlocked.Increment(ref _taken) <= Most)
            return;
        Release();
        throw new UserErrorException($"The silo has {Most} jobs already; begin again when one of them has ended.");
    }

    public void Release() => Interlocked.Decrement(ref _taken);
}
