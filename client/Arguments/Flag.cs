using System.CommandLine;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>A flag and its spellings: <c>--nr-filters</c>, the older <c>--nr_filters</c>, and a short form.</summary>
public abstract class Flag
{
    protected Flag(Option option, IEnumerable<string> aliases, string help)
    {
        Option = option;
        option.Description = help;
        foreach (string alias in aliases)
            option.Aliases.Add(alias);
        foreach (string spelling in option.Aliases.Append(option.Name).Where(s => s.StartsWith("--", StringComparison.Ordinal)).ToList())
            if (spelling[2..].Contains('-', StringComparison.Ordinal))
                option.Aliases.Add("--" + spelling[2..].Replace('-', '_'));
    }

    public Option Option { get; }

    public string Name => Option.Name;

    public bool IsGiven(ParseResult result) => result.GetResult(Option) is { Implicit: false };
}

/// <summary>A flag that is given or not.</summary>
public sealed class Switch(string name, string help, params string[] aliases)
    : Flag(new Option<bool>(name) { Arity = ArgumentArity.Zero }, aliases, help);

/// <summary>A flag with a value. The parser takes any number of any texts, so that all mistakes are found here and told together.</summary>
public sealed class Valued<T>(string name, ValueKind<T> kind, string help, params string[] aliases)
    : Flag(new Option<string[]>(name) { Arity = ArgumentArity.ZeroOrMore, HelpName = kind.HelpName }, aliases, help)
{
    public ValueKind<T> Kind { get; } = kind;

    /// <summary>
    /// Whether the flag has a readable value; if it is given without one, a sentence is added to <paramref name="mistakes"/>.
    /// </summary>
    public bool TryRead(ParseResult result, ICollection<string> mistakes, out T? value)
    {
        value = default;
        if (!IsGiven(result))
            return false;
        // The last of several wins, as in most programs: a script's default can be overridden by what is appended.
        string? text = result.GetResult(Option)!.Tokens is [.., var last] ? last.Value : null;
        if (text is not null && Kind.Read(text, out value))
            return true;
        mistakes.Add(Mistake(text));
        return false;
    }

    /// <summary>All values of a flag that may be given several times; a sentence is added for each that cannot be read.</summary>
    public IReadOnlyList<T> ReadAll(ParseResult result, ICollection<string> mistakes)
    {
        if (!IsGiven(result))
            return [];
        List<T> values = [];
        foreach (string text in result.GetResult(Option)!.Tokens.Select(token => token.Value))
        {
            if (Kind.Read(text, out T? value))
                values.Add(value!);
            else
                mistakes.Add(Mistake(text));
        }

        if (IsBare(result))
            mistakes.Add(Mistake(text: null));
        return values;
    }

    /// <summary>Whether the flag stands without a value, which only some flags may.</summary>
    public bool IsBare(ParseResult result) => IsGiven(result) && result.GetResult(Option)!.Tokens.Count == 0;

    private string Mistake(string? text) =>
        text is null ? $"{Name} has no value; {Kind.Remedy}." : $"{Name} is \"{text}\"; {Kind.Remedy}.";
}
