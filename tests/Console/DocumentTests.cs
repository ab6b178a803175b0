using System.Text.RegularExpressions;

namespace PixelCnnCluster.Console.Tests;

/// <summary>The console takes every command line that the documents show.</summary>
public sealed partial class DocumentTests
{
    public static TheoryData<string, string> Commands
    {
        get
        {
            var lines = new TheoryData<string, string>();
            foreach (string document in Repository.Documents)
            {
                foreach (Match match in Lines().Matches(Repository.Read(document)))
                    lines.Add(document, match.Groups["arguments"].Value.Trim());
            }

            return lines;
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_command_of_the_documents_is_one_of_the_consoles(string document, string arguments)
    {
        string[] words = [.. Words().Matches(arguments).Select(word => word.Value.Trim('\'', '"'))];

        Assert.Equal((document, ""), (document, string.Join(' ', Client.Commands.Parse(words).Errors.Select(error => error.Message))));
    }

    /// <summary>What stands behind the console's name, up to a remark, a pipe or the end of the line.</summary>
    [GeneratedRegex(@"^    .*(--project client --|(?<=-- )pixelcnn) (?<arguments>.*?)( +# .*| [|&>] ?.*)?$", RegexOptions.Multiline)]
    private static partial Regex Lines();

    [GeneratedRegex("""'[^']*'|"[^"]*"|\S+""")]
    private static partial Regex Words();
}
