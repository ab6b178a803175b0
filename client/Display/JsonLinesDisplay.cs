using System.Text.Json;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>One JSON object a line, for programs.</summary>
public sealed class JsonLinesDisplay(TextWriter output) : IRunDisplay
{
    /// <summary>Nothing: only events are for programs.</summary>
    public void Note(string text) { }

    public void Show(RunEvent e)
    {
        if (e is RunEnded { Error: { } error })
            output.WriteLine(Failure.JsonLine(error));
        output.WriteLine(JsonSerializer.Serialize(e, ContractsJson.Options));
        output.Flush();
    }

    public void End(RunEnded e) => Show(e);

    public Task ShowDownloadsAsync(Func<IProgress<DownloadProgress>, Task> work) => work(new DownloadReporter(_ => { }));

    public void Tick() { }

    public void Dispose() { }
}
