using PixelCnnCluster.Contracts;

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
    private readonly RowCache activated = space.Rows(1, shape.Filters);
    private readonly Projection logits = new(space, layer, shape.Logits);

    public void Evaluate(RowCache features, int column, ReadOnlySpan<float> noise, Span<float> output)
    {
        activated.Activate(Nonlinearity.Elu, features, column, 0, 1);
        logits.Apply(activated, activated.All);
        logits.Output.Read(0, output);
    }
}

/// <summary>One sample of the pixel's colour.</summary>
internal sealed class CachedEnergyHead(RowAllocator space, EnergyHead head, NetworkShape shape) : ICachedHead
{
    private readonly RowCache activated = space.Rows(1, shape.Filters);
    private readonly RowCache uniform = space.Rows(1, EnergyHead.NoiseChannels);
    private readonly RowCache wide = space.Rows(1, EnergyHead.Width, 2);
    private readonly Projection embedded = new(space, head.Features, EnergyHead.Width);
    private readonly Projection noisy = new(space, head.Noise, EnergyHead.Width);
    private readonly Projection hidden = new(space, head.Hidden, EnergyHead.Width, inputGroups: 2);
    private readonly Projection colour = new(space, head.Colour, shape.Channels, inputGroups: 2);

    public void Evaluate(RowCache features, int column, ReadOnlySpan<float> noise, Span<float> output)
    {
        activated.Activate(Nonlinearity.Elu, features, column, 0, 1);
        uniform.Write(0, noise);
        embedded.Apply(activated, activated.All);
        noisy.Apply(uniform, uniform.All);
        embedded.Output.Add(noisy.Output, 0, 0);
        wide.Activate(Nonlinearity.ConcatElu, embedded.Output, 0, 0, 1);
        hidden.Apply(wide, wide.All);
        wide.Activate(Nonlinearity.ConcatElu, hidden.Output, 0, 0, 1);
        colour.Apply(wide, wide.All);
        colour.Output.Read(0, output);
        foreach (ref float value in output)
            value = MathF.Tanh(value);
    }
}
