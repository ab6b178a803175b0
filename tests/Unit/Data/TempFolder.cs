using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

/// <summary>A folder for one test's files.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pixelcnn-data-").FullName;

    /// <summary>Writes a file below the folder and returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        string path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Loads the data set from this folder, which must fail with one sentence that holds all of the given parts.</summary>
    public void AssertRefused(DataSet dataSet, int imageSize, params string[] parts) =>
        AssertRefused(() => ImageDataSets.Load(dataSet, Path, imageSize), parts);

    /// <summary>The work must fail with one sentence that holds all of the given parts.</summary>
    public static void AssertRefused(Func<object> work, params string[] parts)
    {
        string message = Assert.Throws<UserErrorException>(work).Message;
        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
        Assert.EndsWith(".", message, StringComparison.Ordinal);
        Assert.DoesNotContain(". ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
