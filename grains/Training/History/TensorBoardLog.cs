using PixelCnnCluster.Contracts;
using TorchSharp.Modules;
using static TorchSharp.torch.utils;

namespace PixelCnnCluster.Training.History;

/// <summary>A run's curves and sample pictures for TensorBoard, in event files in the run's folder; each process begins its own.</summary>
internal sealed class TensorBoardLog(string folder, TimeProvider time)
{
    private SummaryWriter? _writer;

    /// <exception cref="IOException">The disk refused; the rest of the entries is not in the files.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Write(IEnumerable<HistoryEntry> entries)
    {
        // TensorBoard reads a file up to its first torn record, so after a failure comes a new file.
        // Its name is one that nobody can know before, and so put a link in its place.
        SummaryWriter current = _writer ?? tensorboard.SummaryWriter(folder, $".{Guid.NewGuid():N}");
        _writer = null;
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        foreach (HistoryEntry entry in entries)
        {
            foreach ((string tag, long step, double value) in Scalars(entry.Event))
                current.add_scalar(tag, (float)value, checked((int)step), now);
            if (entry.Event is SamplesWritten samples && File.Exists(samples.Path))
                current.add_img("samples", samples.Path, checked((int)samples.Step), now);
        }

        _writer = current;
    }

    private static IEnumerable<(string Tag, long Step, double Value)> Scalars(RunEvent happened) => happened switch
    {
        StepCommitted step =>
        [
            Objective("train", step.Step, step.BitsPerDim, step.Loss),
            ("train/gradient_norm", step.Step, step.GradientNorm),
            ("train/learning_rate", step.Step, step.LearningRate),
            ("train/images_per_s", step.Step, step.ImagesPerS),
            ("cluster/workers", step.Step, step.Workers),
            ("cluster/generation", step.Step, step.Generation),
        ],
        Evaluated score => [Objective("test", score.Step, score.TestBitsPerDim, score.TestLoss)],
        _ => [],
    };

    private static (string Tag, long Step, double Value) Objective(string of, long step, double? bitsPerDim, double loss) =>
        bitsPerDim is { } bits ? ($"{of}/bits_per_dim", step, bits) : ($"{of}/loss", step, loss);
}
