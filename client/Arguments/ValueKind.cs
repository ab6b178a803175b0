using System.Globalization;
using System.Numerics;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>Reads the text of a flag's value; false when it is not of the kind.</summary>
public delegate bool ValueReader<T>(string text, out T? value);

/// <summary>What a flag takes: its name in the help, how it is read and what to give instead of something else.</summary>
public sealed record ValueKind<T>(string HelpName, ValueReader<T> Read, string Remedy);

/// <summary>The kinds of values that flags take. Numbers are written with a point, whatever the locale.</summary>
public static class ValueKinds
{
    public static ValueKind<string> Text(string helpName) => new(
        helpName,
        (string text, out string? value) =>
        {
            value = text;
            return text.Length > 0;
        },
        $"give a {helpName}");

    public static ValueKind<T> Whole<T>() where T : IBinaryInteger<T>, IMinMaxValue<T> => new(
        "n",
        (string text, out T? value) => T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value),
        T.IsZero(T.MinValue) ? "give a whole number from 0 up" : "give a whole number");

    public static ValueKind<double> Number { get; } = new(
        "x",
        (string text, out double value) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value),
        "give a number");

    /// <summary>
    /// One of the members of <typeparamref name="T"/>, shown as <paramref name="names"/>; case, hyphens and underscores do not matter.
    /// </summary>
    public static ValueKind<T> Choice<T>(params string[] names) where T : struct, Enum => new(
        string.Join('|', names),
        (string text, out T value) =>
        {
            value = default;
            string bare = text.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);
            // Enum.TryParse alone would take numbers.
            return Enum.GetNames<T>().Contains(bare, StringComparer.OrdinalIgnoreCase) && Enum.TryParse(bare, ignoreCase: true, out value);
        },
        $"give one of {string.Join(", ", names)}");
}
