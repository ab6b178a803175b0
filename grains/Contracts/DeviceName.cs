using System.Text.RegularExpressions;

namespace PixelCnnCluster.Contracts;

/// <summary>Names of what a silo computes on: cpu, cuda or cuda:N, the card with that number.</summary>
public static partial class DeviceName
{
    public static bool IsOne(string text) => Pattern().IsMatch(text);

    [GeneratedRegex("^(cpu|cuda(:[0-9]{1,3})?)$")]
    private static partial Regex Pattern();
}
