using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>What people are told of a job besides its results.</summary>
internal static class JobText
{
    public static void Note(JobEvent e, JobDisplay display)
    {
        switch (e)
        {
            case SamplerLost lost:
                display.Note($"{lost.Sampler} was lost ({lost.Message.TrimEnd('.')}); others do its images again.");
                break;
            case SamplersAwaited:
                display.Note("No silo is there; the job goes on when one is.");
                break;
        }
    }
}
