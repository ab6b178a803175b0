using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>Images of a job while their rows come in, in any order and possibly more than once.</summary>
public sealed class SampledImages
{
    private readonly int[] _rows;

    public SampledImages(ModelInfo model, int count)
    {
        _rows = new int[count];
        Images = new(new byte[count * model.ImageBytes], count, model.Channels, model.Size);
    }

    /// <summary>What is sampled so far, the rest black.</summary>
    public ImageStack Images { get; }

    /// <summary>From 0 to 1.</summary>
    public double Done => (double)_rows.Sum() / (_rows.Length * Images.Size);

    public void Add(RowSampled row)
    {
        int width = Images.Size;
        for (int image = row.First; image < row.End; image++)
        {
            _rows[image] = Math.Max(_rows[image], row.Row + 1);
            for (int channel = 0; channel < Images.Channels; channel++)
            {
                row.Pixels.AsSpan((((image - row.First) * Images.Channels) + channel) * width, width)
                    .CopyTo(Images.Pixels.AsSpan(((((image * Images.Channels) + channel) * width) + row.Row) * width));
            }
        }
    }
}
