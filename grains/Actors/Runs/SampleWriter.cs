using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.History;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Samples images and writes their picture to the run's folder, with each regular checkpoint. A picture that is in the history is not made
/// again.
/// </summary>
internal sealed class SampleWriter(RunContext run) : IBetweenSteps
{
    public bool IsDue(DataOrder order, long step) => run.Spec.Output.Samples > 0 && CheckpointWriter.IsRegular(run.Spec, order, step);

    public async Task RunAsync(Generation generation, long step)
    {
        if (generation.IsEnding)
            return;
        await WriteAsync(generation, step);
    }

    public async Task WriteAsync(Generation generation, long step)
    {
        if (run.Spec.Output.Samples == 0 || run.History.Last<SamplesWritten>()?.Step == step)
            return;
        SampleResponse[] responses = await generation.ShareAsync(
            run.Spec.Output.Samples, (worker, share) => worker.SampleAsync(new(run.Name, generation.Id, step, share.First, share.End)));
        byte[] pixels = [.. responses.SelectMany(response => response.Pixels)];
        string path = Path.Combine(run.Spec.Output.SaveDir, $"samples-{step:D9}.png");
        try
        {
            var sampled = new SamplesWritten(step, path, run.Spec.Output.Samples, generation.Facts.Channels, generation.Facts.Size, pixels);
            await Task.Run(() =>
            {
                RunFolder.Require(run.Spec.Output.SaveDir);
                PictureGrid.Write(path, sampled.Images());
            });
            run.History.Add(sampled);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            run.History.Add(new FaultNoticed(step, null, $"The picture {path} was not written: {fault.Message}"));
        }
    }
}
