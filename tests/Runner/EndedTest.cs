namespace PixelCnnCluster.Runner;

public enum Outcome
{
    Passed,
    Failed,
    Skipped,
}

/// <summary>How a test ended.</summary>
public sealed record EndedTest(string Project, string Class, string Name, Outcome Outcome, TimeSpan Time)
{
    /// <summary>Of a failure.</summary>
    public string Message { get; init; } = "";

    /// <summary>Of a failure.</summary>
    public string Stack { get; init; } = "";

    /// <summary>What the test wrote.</summary>
    public string Output { get; init; } = "";

    /// <summary>Without its namespace.</summary>
    public string ShortName => Name.StartsWith(Class, StringComparison.Ordinal) ? ShortClass + Name[Class.Length..] : Name;

    public string ShortClass => Class[(Class.LastIndexOf('.') + 1)..];

    /// <summary>What selects the test again. A row of a theory cannot be selected alone.</summary>
    public string Word => ShortName.Split('(')[0];
}
