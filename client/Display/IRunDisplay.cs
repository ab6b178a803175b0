using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>Shows a run while it goes on.</summary>
public interface IRunDisplay : IDisposable
{
    /// <summary>A sentence about what the console itself does.</summary>
    void Note(string text);

    /// <summary>Shows what just happened; the run's <see cref="RunStatus"/> knows of it already.</summary>
    void Show(RunEvent e);

    /// <summary>
    /// Shows the run's end, after which nothing comes. A run that was resumed has earlier ends, which are events like others.
    /// </summary>
    void End(RunEnded e);

    /// <summary>Shows how far the downloads of <paramref name="work"/> are while it goes on.</summary>
    Task ShowDownloadsAsync(Func<IProgress<DownloadProgress>, Task> work);

    /// <summary>Called about once a second, for what changes without events.</summary>
    void Tick();
}
