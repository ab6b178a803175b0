using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using PixelCnnCluster.Silo.Settings;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>What the silo's program makes of its environment.</summary>
internal static partial class SiloProgramSettings
{
    public const string Prefix = "Silo__";

    /// <summary>How long the silo takes to stop at most.</summary>
    public static TimeSpan ShutdownTimeout { get; } = Directory.EnumerateFiles(Path.Combine(Repository.Root, "silos"), "*.cs")
        .Select(path => Timeout().Match(File.ReadAllText(path)))
        .Where(match => match.Success)
        .Select(match => TimeSpan.FromSeconds(int.Parse(match.Groups["seconds"].ValueSpan, CultureInfo.InvariantCulture)))
        .Single();

    /// <summary>The variables that are the silo's settings, without the prefix.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Of(IReadOnlyDictionary<string, string> environment) => environment
        .Where(pair => pair.Key.StartsWith(Prefix, StringComparison.Ordinal))
        .Select(pair => KeyValuePair.Create(pair.Key[Prefix.Length..], pair.Value));

    /// <summary>Variables that are no settings, values that cannot be read, and what the silo itself finds wrong.</summary>
    public static IEnumerable<string> Mistakes(IReadOnlyDictionary<string, string> environment)
    {
        IConfiguration values = new ConfigurationBuilder().AddInMemoryCollection(Of(environment)!).Build();
        try
        {
            return values.Get<SiloSettings>(options => options.ErrorOnUnknownConfiguration = true)!.Validate();
        }
        catch (InvalidOperationException mistake)
        {
            return [mistake.Message];
        }
    }

    [GeneratedRegex(@"ShutdownTimeout = TimeSpan\.FromSeconds\((?<seconds>\d+)\)")]
    private static partial Regex Timeout();
}
