using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Client.Models;

/// <summary>The scores of a job while they come in, in any order and possibly more than once.</summary>
public sealed class Scores(ModelInfo model)
{
    /// <summary>What a pixel's channel costs a model that knows nothing, and the map's brightest colour.</summary>
    private const int BitsOfByte = 8;

    private double[] _bits = [];
    private (byte[] Pixels, float[] Bits)[] _maps = [];

    public int Count => _bits.Length;

    /// <summary>From 0 to 1.</summary>
    public double Done => Count == 0 ? 0 : (double)_bits.Count(double.IsFinite) / Count;

    /// <summary>Over all images.</summary>
    public double MeanBitsPerDim => _bits.Sum() / ((double)Count * model.ImageBytes);

    /// <summary>Of <see cref="MeanBitsPerDim"/> as an estimate from so many images; null for one image, which tells none.</summary>
    public double? StandardError => Count < 2 ? null
        : Math.Sqrt(Enumerable.Range(0, Count).Sum(i => Math.Pow(BitsPerDim(i) - MeanBitsPerDim, 2)) / (Count - 1.0) / Count);

    /// <summary>Of a whole image.</summary>
    public double Bits(int image) => _bits[image];

    public double BitsPerDim(int image) => _bits[image] / model.ImageBytes;

    public void Add(JobEvent e)
    {
        switch (e)
        {
            case JobStarted started:
                _bits = [.. Enumerable.Repeat(double.NaN, started.Count)];
                _maps = new (byte[], float[])[started.Count];
                break;
            case ImagesScored scored:
                scored.Bits.CopyTo(_bits.AsSpan(scored.First));
                if (scored.Maps is { } maps)
                {
                    foreach ((int i, (byte[] First, float[] Second) map) in maps.Pixels.Chunk(model.ImageBytes)
                        .Zip(maps.Bits.Chunk(model.Size * model.Size)).Index())
                        _maps[scored.First + i] = map;
                }

                break;
        }
    }

    /// <summary>Each image, and beside it where its bits went.</summary>
    /// <returns>Two images for each, and the number of columns that a picture of them has.</returns>
    public (ImageStack Images, int Columns) Map()
    {
        byte[] pixels =
        [
            .. _maps.SelectMany(
                map => (byte[])[.. new ImageStack(map.Pixels, 1, model.Channels, model.Size).ToColour().Pixels,
                    .. HeatMap.Of(map.Bits, BitsOfByte * model.Channels)]),
        ];
        // A pair is twice as wide as it is high.
        int pairsAcross = Math.Max(1, (int)Math.Ceiling(Math.Sqrt(Count / 2.0)));
        return (new(pixels, 2 * Count, 3, model.Size), 2 * pairsAcross);
    }
}
