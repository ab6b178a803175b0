using System.CommandLine;
using System.CommandLine.Parsing;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>The words of a command line that belong to none of the command's flags.</summary>
public static class LooseWords
{
    /// <summary>Without those that follow an unknown flag, which most likely are its value.</summary>
    public static IEnumerable<string> Of(ParseResult result)
    {
        IEnumerable<string> taken = result.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value);
        IReadOnlyList<string> words = [.. taken, .. result.UnmatchedTokens];
        return words.Where((word, i) => IsFlag(word) || i == 0 || !IsFlag(words[i - 1]));
    }

    public static bool IsFlag(string word) => word.StartsWith('-');

    public static string Mistake(string word, ParseResult result)
    {
        string command = Name(result);
        return $"{word} is not a flag of {command}; {command} --help lists them.";
    }

    /// <summary>The command as it is typed: <c>runs show</c>.</summary>
    public static string Name(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        return command.Parents.FirstOrDefault() is Command parent and not RootCommand ? $"{parent.Name} {command.Name}" : command.Name;
    }
}
