using System.Globalization;
using System.Text.RegularExpressions;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>When checkpoints are written: after so many steps, minutes or epochs.</summary>
public sealed partial record SaveRule(double Count, string Unit)
{
    public static ValueKind<SaveRule> Kind { get; } = new(
        "rule",
        (string text, out SaveRule? value) => (value = Read(text)) is not null,
        "give a whole number of steps or epochs, or a time in s, min or h, as 500steps, 10min or 1epoch");

    public RunSpec Apply(RunSpec spec) => Unit switch
    {
        "step" => spec with { Output = spec.Output with { SaveSteps = (long)Count } },
        "epoch" => spec with { Output = spec.Output with { SaveInterval = (int)Count } },
        "s" => spec with { Output = spec.Output with { SaveMinutes = Count / 60 } },
        "h" => spec with { Output = spec.Output with { SaveMinutes = Count * 60 } },
        _ => spec with { Output = spec.Output with { SaveMinutes = Count } },
    };

    private static SaveRule? Read(string text)
    {
        Match match = Form().Match(text);
        if (!match.Success)
            return null;
        double count = double.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture);
        string unit = match.Groups["unit"].Value;
        bool isTime = unit is not ("step" or "epoch");
        return isTime || (count is >= 1 and <= int.MaxValue && count % 1 == 0) ? new(count, unit) : null;
    }

    [GeneratedRegex(@"^(?<count>\d{1,12}(\.\d{1,6})?) ?((?<unit>step|epoch)s?|(?<unit>min|s|h))$")]
    private static partial Regex Form();
}
