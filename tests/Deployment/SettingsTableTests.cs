using System.Text.RegularExpressions;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Silo.Settings;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>The table of settings in docs/operations.md is that of the program.</summary>
public sealed partial class SettingsTableTests
{
    [Fact]
    public void Every_setting_is_in_the_table_with_its_default()
    {
        var table = Row().Matches(Repository.Read("docs/operations.md"))
            .ToDictionary(row => row.Groups["name"].Value, row => row.Groups["default"].Value);
        var settings = new SiloSettings();
        var defaults = new[] { ("", (object)settings), ($"{nameof(SiloSettings.Timeouts)}:", settings.Timeouts) }
            .SelectMany(section => section.Item2.GetType().GetProperties()
                .Select(property => (Name: section.Item1 + property.Name, Value: property.GetValue(section.Item2))))
            .Where(setting => setting.Value is not Timeouts)
            .ToDictionary(setting => setting.Name, setting => setting.Value);
        Assert.Equal(defaults.Keys.Order(), table.Keys.Order());
        Assert.All(
            defaults.Where(setting => table[setting.Key].StartsWith('`')),
            setting => Assert.StartsWith($"`{setting.Value}`", table[setting.Key], StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Time_outs_are_validated_together()
    {
        Timeouts wrong = new() { Tolerance = 0, Step = TimeSpan.Zero, Write = TimeSpan.FromDays(60) };

        Assert.Equal(
            ["Silo:Timeouts:Tolerance", "Silo:Timeouts:Step", "Silo:Timeouts:Write"],
            new SiloSettings { Timeouts = wrong }.Validate().Select(mistake => mistake.Split(' ')[0]));
    }

    [GeneratedRegex(@"^\| `(?<name>[A-Z][\w:]+)` \| (?<default>[^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
