using System.Text.RegularExpressions;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>One word for a thing, the field's: docs/glossary.md has them. Those that they took the place of do not come back.</summary>
public sealed partial class WordTests
{
    /// <summary>What tells of earlier figures, and this list.</summary>
    private static readonly string[] Exceptions = ["docs/lab/", "tests/Unit/House/WordTests.cs"];

    [Fact]
    public void Private_words_do_not_come_back()
    {
        string[] found =
        [
            .. from path in SourceTree.Files("*.cs").Concat(Repository.Documents)
               where !Exceptions.Any(exception => path.StartsWith(exception, StringComparison.Ordinal))
               from Match word in Gone().Matches(Repository.Read(path))
               select $"{path}: {word.Value}",
        ];

        Assert.Empty(found);
    }

    [GeneratedRegex(
        @"\b([Cc]rew|[Rr]oster|GenerationOpening|[Ee]nrol\w*|Holdings?|Upkeep|StepClock|Accuse\w*|Blame\w*|[Aa]llot\w*|Tend(Async)?|" +
        @"Retire\w*|RunKeeper|\w*Ledger\w*|BeatAsync|HeldAsync|[Tt]enancy|WorkerDevice|SamplerDevice|ShardWork|[Gg]oesOn|" +
        @"\w*Patience|patience|Silence|Grace|(Join|Step|Evaluation|Checkpoint|Sample)Report|" +
        @"(Enrol|Generation|Step|State|Evaluation|Checkpoint|Sample|Draw|Score)Order|" +
        @"Draw\w*|\w+Drawn\w*|Drawn\w*|Drawing\w*|" +
        @"[Ww]ay (up|down)|[Ww]ay(Up|Down)\w*|GradientRound|Outbox\w*|Lanes|Products|Reach|Milestone|" +
        @"RowSpace|ModelCard)\b")]
    private static partial Regex Gone();
}
