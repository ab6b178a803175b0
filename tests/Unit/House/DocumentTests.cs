using System.Text.RegularExpressions;

namespace PixelCnnCluster.Unit.Tests.House;

public sealed partial class DocumentTests
{
    private const int MostWordsOfReadme = 700;

    [Fact]
    public void Every_link_and_picture_of_the_documents_leads_somewhere()
    {
        string[] broken =
        [
            .. from document in Repository.Documents
               from Match link in Links().Matches(Repository.Read(document))
               let target = link.Groups["path"].Value is { Length: > 0 } path ? Path.Combine(Path.GetDirectoryName(document)!, path)
                   : document
               where !Exists(target, link.Groups["heading"].Value)
               select $"{document}: {link.Value}",
        ];

        Assert.Empty(broken);
    }

    [Fact]
    public void The_README_is_short() =>
        Assert.InRange(
            Repository.Read("README.md").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length, 1, MostWordsOfReadme);

    private static bool Exists(string target, string heading)
    {
        string full = Path.Combine(Repository.Root, target);
        return Directory.Exists(full)
            || (File.Exists(full)
                && (heading.Length == 0
                    || Headings().Matches(Repository.Read(target)).Any(line => Anchor(line.Groups["text"].Value) == heading)));
    }

    /// <summary>As the usual viewers name a heading.</summary>
    private static string Anchor(string heading) =>
        string.Concat(heading.Trim().ToLowerInvariant().Where(letter => char.IsLetterOrDigit(letter) || letter is ' ' or '-' or '_'))
            .Replace(' ', '-');

    [GeneratedRegex(@"\]\((?!https?:)(?<path>[^)#\s]*)(#(?<heading>[^)\s]+))?\)")]
    private static partial Regex Links();

    [GeneratedRegex(@"^#+ (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();
}
