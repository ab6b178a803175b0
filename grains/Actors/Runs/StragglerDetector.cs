using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>Finds the worker that the others wait for.</summary>
internal static class StragglerDetector
{
    private static readonly TimeSpan StatusTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The straggler's device has been at one thing for long, whosever work that is, or the worker is silent.</summary>
    /// <param name="work">What was not done, for people.</param>
    /// <param name="timeout">In which it was not done.</param>
    /// <returns>The straggler's fault; a <see cref="RegroupException"/> if there is none.</returns>
    public static async Task<Exception> FindAsync(Generation generation, string work, TimeSpan timeout, TimeProvider time)
    {
        foreach (string worker in generation.Workers)
        {
            try
            {
                WorkerStatus status = await generation.AskAsync(worker, grain => grain.StatusAsync(), StatusTimeout)
                    .WaitAsync(StatusTimeout, time);
                if (status.BusySeconds < timeout.TotalSeconds / 2)
                    continue;
            }
            catch (Exception fault) when (fault is TimeoutException or WorkerFaultException)
            {
            }

            return generation.Late(worker, $"it has not done its part of {work} within {timeout.TotalSeconds:F0} s");
        }

        return new RegroupException(GenerationCause.StoodStill, $"{work} stood still for {timeout.TotalSeconds:F0} s");
    }
}
