namespace PixelCnnCluster.Runner;

/// <summary>
/// Which tests run: those without processes only, or also the long ones; all of them, or those whose class or method has one of the words.
/// </summary>
public sealed record Selection(bool IsFast, bool IsLong, IReadOnlyList<string> Words)
{
    /// <summary>A program with nothing to say for so long hangs. A long test may be silent for longer.</summary>
    public TimeSpan SilenceTimeout => TimeSpan.FromMinutes(IsLong ? 60 : 10);

    /// <summary>How many schedules are simulated, as FIRST:COUNT. Fast tests have their own number.</summary>
    public string? Seeds => IsLong ? "1:10000" : IsFast ? null : "1:2000";

    /// <summary>Seconds that each test with random input goes on for; null for its own number of inputs.</summary>
    public string? FuzzingSeconds => IsLong ? "60" : null;

    /// <summary>Flags of the test programs. Filters of one kind are alternatives.</summary>
    public IReadOnlyList<string> Flags =>
        [.. IsLong ? ["-explicit", "on"] : Array.Empty<string>(), .. Words.SelectMany(word => new[] { "-method", $"*{word.Trim('*')}*" })];
}
