using System.Globalization;

namespace PixelCnnCluster.Contracts;

/// <summary>
/// A mistake that the user can mend. The message is one sentence that names the flag or file and the remedy;
/// the console prints it without a stack trace and exits with code 2. It may quote a file of somebody else's.
/// </summary>
[GenerateSerializer]
public sealed class UserErrorException : Exception
{
    public UserErrorException(string message) : base(Printable.Of(message)) { }

    public UserErrorException(string message, Exception inner) : base(Printable.Of(message), inner) { }

    public UserErrorException() { }
}

/// <summary>Text from files, certificates and messages of others, fit for one line of a terminal, a log or a page.</summary>
public static class Printable
{
    /// <summary>The text with a ? for each character that would command what shows it: control characters, breaks of lines, and those that
    /// turn the direction of writing.</summary>
    public static string Of(string text) =>
        Is(text) ? text : string.Concat(text.Select(character => IsCommand(character) ? '?' : character));

    /// <summary>Whether a text is fit as it is.</summary>
    public static bool Is(string text) => !text.Any(IsCommand);

    private static bool IsCommand(char character) => char.GetUnicodeCategory(character) switch
    {
        UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => true,
        UnicodeCategory.Format => character is '\u061c' or '\u200e' or '\u200f' or (>= '\u202a' and <= '\u202e')
            or (>= '\u2066' and <= '\u2069'),
        _ => false,
    };
}
