using System.Text.RegularExpressions;
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
        Assert.Equal(typeof(SiloSettings).GetProperties().Select(property => property.Name).Order(), table.Keys.Order());
        Assert.All(
            typeof(SiloSettings).GetProperties().Where(property => table[property.Name].StartsWith('`')),
            property => Assert.StartsWith($"`{property.GetValue(settings)}`", table[property.Name], StringComparison.OrdinalIgnoreCase));
    }

    [GeneratedRegex(@"^\| `(?<name>[A-Z]\w+)` \| (?<default>[^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
