using System.Globalization;
using Xunit;

namespace PixelCnnCluster.Faults;

/// <summary>Logs of the silos that tests start, which are kept with the results.</summary>
public static class TestLogs
{
    /// <summary>Folder of all results, as the runner of the tests sets it.</summary>
    private const string ResultsVariable = "PIXELCNN_TEST_RESULTS";

    private static int _folders;

    /// <summary>Where logs of silos go that belong to the test, class or collection that is about to run.</summary>
    /// <param name="folder">Of a test that nobody collects results of.</param>
    public static string FolderFor(string folder) => Kept() ?? Path.Combine(folder, "logs");

    /// <summary>Keeps the logs that are anywhere in a test's folder before that goes.</summary>
    public static void Keep(string folder)
    {
        string[] logs = Directory.GetFiles(folder, "*.log", SearchOption.AllDirectories);
        if (logs.Length == 0 || Kept() is not { } kept)
            return;
        foreach (string log in logs)
        {
            string copy = Path.Combine(kept, Path.GetRelativePath(folder, log));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(log, copy);
        }
    }

    private static string? Kept()
    {
        if (Environment.GetEnvironmentVariable(ResultsVariable) is not { } results)
            return null;
        ITestContext context = TestContext.Current;
        string name = context.TestClass is { } type ? type.TestClassName.Split('.')[^1]
            + (context.TestMethod is { } method ? "." + method.MethodName : "")
            : context.TestCollection?.TestCollectionDisplayName ?? "assembly";
        return Path.Combine(results, "logs", string.Create(CultureInfo.InvariantCulture, $"{name}-{Interlocked.Increment(ref _folders)}"));
    }
}
