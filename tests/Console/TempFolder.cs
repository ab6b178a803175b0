using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Console.Tests;

/// <summary>A folder that goes with the test; logs in it are kept with the results.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pixelcnn-console-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        TestLogs.Keep(Path);
        Directory.Delete(Path, recursive: true);
    }
}
