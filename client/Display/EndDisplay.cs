using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>Shows nothing of a run but its end, for those who only wait for that.</summary>
public sealed class EndDisplay(IRunDisplay display) : IRunDisplay
{
    public void Note(string text) => display.Note(text);

    public void Show(RunEvent e) { }

    public void End(RunEnded e) => display.End(e);

    public Task ShowDownloadsAsync(Func<IProgress<DownloadProgress>, Task> work) => display.ShowDownloadsAsync(work);

    public void Tick() { }

    public void Dispose() => display.Dispose();
}
