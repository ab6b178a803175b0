using System.Text.RegularExpressions;

namespace PixelCnnCluster.Runner;

/// <summary>A failure as a few lines: what was expected, where, what the test wrote last, and the command that repeats it.</summary>
public static partial class FailureText
{
    private const int MostMessage = 25, MostFrames = 8, MostOutput = 40;

    public static IEnumerable<string> Lines(EndedTest test, string root, bool isLong) =>
    [
        $"FAIL {test.Project}: {test.ShortName}",
        .. Indent(Head([.. test.Message.TrimEnd().Split('\n')], MostMessage)),
        .. Indent(Frames(test.Stack, root).Take(MostFrames)),
        .. test.Output.Length == 0 ? []
            : Indent(["Output:", .. Tail(test.Output.TrimEnd().Split('\n'), MostOutput).Select(line => "| " + line)]),
        .. test.ShortClass.Length == 0 ? [] : Indent([$"Repeat: tests/run --no-build{(isLong ? " --long" : "")} --test {test.Word}"]),
        "",
    ];

    public static bool IsStack(string line) =>
        line.StartsWith("   at ", StringComparison.Ordinal) || line.StartsWith("---", StringComparison.Ordinal)
            && line.EndsWith("---", StringComparison.Ordinal);

    /// <summary>The stack's frames in files of the repository, or the first two frames if it has none.</summary>
    public static IEnumerable<string> Frames(string stack, string root)
    {
        string[] lines = [.. stack.Split('\n').Where(line => line.StartsWith("   at ", StringComparison.Ordinal))
            .Select(line => line.Trim())];
        string[] own = [.. lines.Select(line => Frame().Match(line))
            .Where(frame => frame.Success && frame.Groups["file"].Value.StartsWith(root + "/", StringComparison.Ordinal))
            .Select(frame =>
                $"at {frame.Groups["method"].Value} in {frame.Groups["file"].Value[(root.Length + 1)..]}:{frame.Groups["line"].Value}")
            .Distinct()];
        return own.Length > 0 ? own : lines.Take(2);
    }

    public static IEnumerable<string> Tail(IReadOnlyList<string> lines, int most) =>
        lines.Count <= most ? lines : [$"({lines.Count - most} lines before)", .. lines.Skip(lines.Count - most)];

    private static IEnumerable<string> Head(IReadOnlyList<string> lines, int most) =>
        lines.Count <= most ? lines : [.. lines.Take(most), $"({lines.Count - most} lines more)"];

    private static IEnumerable<string> Indent(IEnumerable<string> lines) => lines.Select(line => "    " + line.TrimEnd());

    [GeneratedRegex(@"^at (PixelCnnCluster\.)?(?<method>[^(]+)\(.*\) in (?<file>.+):line (?<line>\d+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Frame();
}
