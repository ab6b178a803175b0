using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Model.Sampling;

/// <summary>The last layers, which turn a position's features into what the network says of its pixel.</summary>
internal interface ICachedHead
{
    /// <param name="features">Before the last nonlinearity.</param>
    /// <param name="noise">[N, noise channels]; not used by a head without.</param>
    /// <param name="output">[N, outputs]</param>
    void Evaluate(RowCache features, int column, ReadOnlySpan<float> noise, Span<float> output);
}

/// <summary>Mixture parameters.</summary>
internal sealed class CachedMixtureHead(RowAllocator space, Pointwise layer, NetworkShape shape) : ICachedHead
{
    private readonly RowCache _activated = space.Rows(1, shape.Filters);
    private readonly Projection _logits = new(space, layer, shape.Logits);

    public void Evaluate(RowCache features, int column, ReadOnlySpan<float> noise, Span<float> output)
    {
        _activated.Activate(Nonlinearity.Elu, features, column, 0, 1);
        _logits.Apply(_activated, _activated.All);
        _logits.Output.Read(0, output);
    }
}

/// <summary>One sample of the pixel's colour.</summary>
internal sealed class CachedEnergyHead(RowAllocator space, EnergyHead head, NetworkShape shape) : ICachedHead
{
    private readonly RowCache _activated = space.Rows(1, shape.Filters);
    private readonly RowCache _uniform = space.Rows(1, EnergyHead.NoiseChannels);
    private readonly RowCache _wide = space.Rows(1, EnergyHead.Width, 2);
    private readonly Projection _embedded = new(space, head.Features, EnergyHead.Width);
    private readonly Projection _noisy = new(space, head.Noise, EnergyHead.Width);
    private readonly Projection _hidden = new(space, head.Hidden, EnergyHead.Width, inputGroups: 2);
    private readonly Projection _colour = new(space, head.Colour, shape.Channels, inputGroups: 2);

    public void Evaluate(RowCache features, int column, ReadOnlySpan<float> noise, Span<float> output)
    {
        _activated.Activate(Nonlinearity.Elu, features, column, 0, 1);
        _uniform.Write(0, noise);
        _embedded.Apply(_activated, _activated.All);
        _noisy.Apply(_uniform, _uniform.All);
        _embedded.Output.Add(_noisy.Output, 0, 0);
        _wide.Activate(Nonlinearity.ConcatElu, _embedded.Output, 0, 0, 1);
        _hidden.Apply(_wide, _wide.All);
        _wide.Activate(Nonlinearity.ConcatElu, _hidden.Output, 0, 0, 1);
        _colour.Apply(_wide, _wide.All);
        _colour.Output.Read(0, output);
        foreach (ref float value in output)
            value = MathF.Tanh(value);
    }
}
