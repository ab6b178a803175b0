namespace PixelCnnCluster.Console.Tests;

/// <summary>A user's mistake as it is told. Tests hold what it names; <see cref="Arguments.WordingTests"/> holds the wording.</summary>
internal static class Mistake
{
    /// <summary>One sentence that says what is wrong and, behind a semicolon, what to do.</summary>
    /// <param name="named">The flag, file or word that is wrong.</param>
    public static void AssertNames(string named, string told)
    {
        Assert.Contains(named, told, StringComparison.Ordinal);
        Assert.Matches(@"\A[^\n]+; [^\n]+\.\n?\z", told);
    }
}
