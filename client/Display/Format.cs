using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Display;

/// <summary>How figures and settings are written for people.</summary>
public static class Format
{
    private const string Levels = "▁▂▃▄▅▆▇█";

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A member of an enumeration as flags have it.</summary>
    public static string Name<T>(T value) where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    /// <summary>With three decimals, as the literature gives it.</summary>
    public static string Bits(double? bitsPerDim) => bitsPerDim is { } bits ? Number(bits, "0.000") : "–";

    /// <summary>A labelled value in a column of such; nothing for a value that there is not.</summary>
    public static IEnumerable<string> Row(string label, string? value) =>
        value is null ? [] : [$"  {label,-16}{Printable.Of(value)}"];

    /// <summary>"120 of 1,000", or the step alone while the end is unknown.</summary>
    public static string Steps(long step, long? total) =>
        FormattableString.Invariant($"{step:N0}{(total is { } steps ? FormattableString.Invariant($" of {steps:N0}") : "")}");

    /// <summary>Whole images a second, and of few two decimals: a large model on a small machine takes seconds for each.</summary>
    /// <param name="flopsPerImage">The rate of operations is shown too if it is known.</param>
    public static string Speed(double? imagesPerS, double? flopsPerImage = null)
    {
        string images = $"{Number(imagesPerS ?? 0, imagesPerS is > 0 and < 10 ? "0.00" : "0")} images/s";
        return imagesPerS * flopsPerImage is { } flops and > 0
            ? $"{images} ({Number(flops / 1e9, flops < 10e9 ? "0.0" : "0")} GFLOP/s)"
            : images;
    }

    /// <summary>The two largest units: "3 min 20 s", "5 d 3 h".</summary>
    public static string Duration(TimeSpan? time) => time switch
    {
        null => "–",
        { TotalMinutes: < 1 } t => $"{Math.Max(0, t.Seconds)} s",
        { TotalHours: < 1 } t => $"{t.Minutes} min {t.Seconds} s",
        { TotalDays: < 1 } t => $"{t.Hours} h {t.Minutes} min",
        { } t => $"{(long)t.TotalDays} d {t.Hours} h",
    };

    /// <summary>Bars from the smallest to the largest value; the newest <paramref name="width"/> values when there are more.</summary>
    public static string Sparkline(IReadOnlyList<double> values, int width)
    {
        var shown = values.Skip(values.Count - width).Where(double.IsFinite).ToList();
        if (shown.Count == 0)
            return "";
        (double least, double most) = (shown.Min(), shown.Max());
        return string.Concat(shown.Select(value =>
            Levels[most > least ? (int)Math.Round((value - least) / (most - least) * (Levels.Length - 1)) : 0]));
    }

    public static string Bar(double fraction, int width)
    {
        int full = (int)Math.Round(Math.Clamp(fraction, 0, 1) * width);
        return new string('━', full) + new string('╌', width - full);
    }

    /// <summary>The settings that matter most, in one line.</summary>
    public static string Summary(RunSpec spec)
    {
        var parts = new List<string>
        {
            spec.Data.DataSet.ToString().ToLowerInvariant(),
            $"{spec.Model.Blocks} x {spec.Model.Filters} filters",
            $"{spec.Model.Mixtures} logistics",
            $"{spec.Optimiser.Shards} shards of {spec.Optimiser.BatchSize} images",
            $"learning rate {Number(spec.Schedule.LearningRate, "0.######")}",
        };
        if (spec.Model.Objective == Objective.Focal)
            parts.Add($"focal loss, gamma {Number(spec.Model.FocalGamma, "0.###")}");
        if (spec.Model.Objective == Objective.EnergyDistance)
            parts.Add("energy distance");
        if (spec.Model.ClassConditional)
            parts.Add("class conditional");
        if (spec.Model.CoordinateChannels)
            parts.Add("coordinate channels");
        if (spec.Model.NonLocal)
            parts.Add("non-local block");
        return string.Join(", ", parts);
    }
}
