using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>Lists scores: lines for people, CSV, or one JSON object a line.</summary>
/// <param name="name">What image number i is called.</param>
public sealed class ScoreListing(TextWriter output, Scores scores, Func<int, string> name)
{
    /// <summary>People see so many, and of more the extremes.</summary>
    private const int MostLines = 40, Extremes = 10;

    /// <summary>All images for programs.</summary>
    public void WriteJson()
    {
        for (int i = 0; i < scores.Count; i++)
            output.WriteLine(
                JsonSerializer.Serialize(
                    new { Event = "image", Image = name(i), Bits = scores.Bits(i), BitsPerDim = scores.BitsPerDim(i) },
                    ContractsJson.Options));
    }

    /// <summary>All images as RFC 4180 has it, with a header.</summary>
    public void WriteCsv()
    {
        output.WriteLine("image,bits,bits_per_dim");
        for (int i = 0; i < scores.Count; i++)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Quoted(name(i))},{scores.Bits(i)},{scores.BitsPerDim(i)}"));
    }

    /// <summary>The images in their order, or of many those with the most and the fewest bits.</summary>
    public void WriteLines()
    {
        var images = Enumerable.Range(0, scores.Count).ToList();
        if (scores.Count <= MostLines)
        {
            WriteLines("image", images);
            return;
        }

        images.Sort((a, b) => scores.Bits(b).CompareTo(scores.Bits(a)));
        WriteLines("most bits", images.Take(Extremes).ToList());
        WriteLines("fewest bits", images.TakeLast(Extremes).Reverse().ToList());
    }

    private void WriteLines(string heading, IReadOnlyList<int> images)
    {
        int width = images.Select(name).Append(heading).Max(text => text.Length);
        output.WriteLine($"{heading.PadRight(width)}  {"bits",9}  bits/dim");
        foreach (int i in images)
            output.WriteLine($"{name(i).PadRight(width)}  {Format.Number(scores.Bits(i), "0.0"),9}  {Format.Bits(scores.BitsPerDim(i)),8}");
        output.WriteLine();
    }

    private static string Quoted(string text) =>
        text.AsSpan().IndexOfAny("\",\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
