namespace PixelCnnCluster.Contracts;

/// <summary>A run's name, which is the last part of its folder.</summary>
public static class RunName
{
    private const int Longest = 100;

    /// <summary>What is wrong with a name, as a sentence; null if nothing is.</summary>
    public static string? Mistake(string run) =>
        run.Length is 0 or > Longest || run is "." or ".." || run.Any(c => char.IsControl(c) || c == '/')
        ? $"The run's name, the last part of --save-dir, has to have 1 to {Longest} characters, none of them / or a control character; " +
            $"name another folder."
        : null;
}
