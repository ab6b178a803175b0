using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>
/// A network that follows images while their pixels become known, in raster order: for each row <see cref="BeginRow"/>, then for
/// each of its pixels <see cref="Evaluate"/> and <see cref="Write"/>.
/// </summary>
public interface IPixelNetwork : IDisposable
{
    void BeginRow(int y);

    /// <summary>What the network says of column <paramref name="x"/> from the pixels written so far.</summary>
    /// <param name="noise">For energy distance [N, 4] uniform in [-1, 1); not used otherwise.</param>
    /// <param name="output">[N, <see cref="NetworkShape.Logits"/>] mixture parameters, or for energy distance one sample [N, C].</param>
    void Evaluate(int x, ReadOnlySpan<float> noise, Span<float> output);

    /// <summary>Sets the pixel that was last evaluated, [N, C] in [-1, 1].</summary>
    void Write(ReadOnlySpan<float> colours);
}
