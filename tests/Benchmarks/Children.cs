using System.Diagnostics;

namespace PixelCnnCluster.Benchmarks;

/// <summary>Processes of this program that take orders by lines on standard input and answer each with a line.</summary>
internal sealed class Children : IDisposable
{
    private readonly Process[] _processes;

    public Children(int count, Func<int, IEnumerable<string>> arguments) =>
        _processes = [.. Enumerable.Range(0, count).Select(number => Process.Start(
            new ProcessStartInfo(
                "dotnet", [typeof(Children).Assembly.Location, .. arguments(number)]) { RedirectStandardInput = true,
                    RedirectStandardOutput = true })!)];

    /// <summary>Gives all the same order at once.</summary>
    /// <returns>Their answers.</returns>
    /// <exception cref="IOException">One has ended.</exception>
    public string[] Ask(string order)
    {
        foreach (Process process in _processes)
            process.StandardInput.WriteLine(order);
        return [.. _processes.Select(
            process => process.StandardOutput.ReadLine() ?? throw new IOException("A process of the benchmark has ended."))];
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.StandardInput.Close();
            process.WaitForExit();
            process.Dispose();
        }
    }
}
