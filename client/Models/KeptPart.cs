using System.Globalization;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Client.Models;

/// <summary>Which part of an image stays when the rest is sampled anew.</summary>
public static class KeptPart
{
    public const string Top = "top", Left = "left";

    /// <summary>What stands in a picture for pixels that are to be sampled.</summary>
    private const byte Grey = 128;

    /// <param name="part">As <c>--keep</c> takes it.</param>
    /// <returns>[size, size]: true where pixels stay.</returns>
    /// <exception cref="UserErrorException">It is neither a part's name, a number of rows nor a mask.</exception>
    public static bool[] Read(string part, int size)
    {
        if (part == Left)
            return [.. Enumerable.Range(0, size * size).Select(i => i % size < size / 2)];
        bool isNumber = int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int rows);
        if (part == Top || isNumber)
        {
            rows = isNumber ? rows : size / 2;
            return rows > 0 && rows < size
                ? [.. Enumerable.Range(0, size * size).Select(i => i / size < rows)]
                : throw new UserErrorException(
                    $"--keep is {rows}; give a number of rows from 1 to {size - 1}, top, left or a mask's file.");
        }

        return File.Exists(part)
            ? PictureFile.ReadMask(part, size)
            : throw new UserErrorException($"--keep is {part}; give top, left, a number of rows or the path of a mask.");
    }

    /// <summary>A row for each image: as it was, what was kept of it, and the completions.</summary>
    public static (ImageStack Images, int? Columns) Grid(ModelInfo model, GivenPixels given, ImageStack completed)
    {
        var originals = new ImageStack(given.Images, given.Images.Length / model.ImageBytes, model.Channels, model.Size);
        var pixels = new List<byte>();
        for (int i = 0; i < originals.Count; i++)
        {
            byte[] original = originals.Image(i).ToArray();
            pixels.AddRange(original);
            pixels.AddRange(original.Select((value, at) => given.Mask[at % given.Mask.Length] ? value : Grey));
            for (int k = 0; k < given.Each; k++)
                pixels.AddRange(completed.Image((i * given.Each) + k));
        }

        return (new([.. pixels], originals.Count * (2 + given.Each), model.Channels, model.Size), 2 + given.Each);
    }
}
