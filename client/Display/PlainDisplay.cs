using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>Lines for a log: every event but steps, and of those the first of each epoch and one about every ten seconds.</summary>
public sealed class PlainDisplay(TextWriter output, RunStatus status, RunSummary summary, TimeProvider time) : IRunDisplay
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private long? _lastLine;
    private int _lastEpoch;

    public void Note(string text) => Write(text);

    public void Show(RunEvent e)
    {
        switch (e)
        {
            case StepCommitted step when IsDue(step):
                Write(EventText.Step(status));
                break;
            default:
                if (EventText.Of(e) is { } text)
                    Write(text);
                break;
        }
    }

    public void End(RunEnded e)
    {
        foreach (string line in summary.Lines(status))
            Write(line);
    }

    public Task ShowDownloadsAsync(Func<IProgress<DownloadProgress>, Task> work)
    {
        string? file = null;
        return work(new DownloadReporter(report =>
        {
            if (report.File == file && time.GetElapsedTime(_lastLine ?? 0) < Interval)
                return;
            (file, _lastLine) = (report.File, time.GetTimestamp());
            Write(EventText.Downloading(report));
        }));
    }

    public void Tick() { }

    public void Dispose() { }

    private bool IsDue(StepCommitted step)
    {
        bool due = (int)step.Epoch != _lastEpoch || _lastLine is not { } last || time.GetElapsedTime(last) >= Interval;
        if (due)
            (_lastLine, _lastEpoch) = (time.GetTimestamp(), (int)step.Epoch);
        return due;
    }

    private void Write(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }
}
