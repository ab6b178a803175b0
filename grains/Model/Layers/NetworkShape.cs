using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Model.Layers;

/// <summary>What the network looks like: the part of a run's specification, and of its data, that decides the parameters' shapes.</summary>
public sealed record NetworkShape
{
    /// <summary>1 or 3.</summary>
    public required int Channels { get; init; }

    /// <summary>Side in pixels, a multiple of 4 from 8 to 64.</summary>
    public required int Size { get; init; }

    /// <summary>Labels that the network is conditioned on; 0 for an unconditional network.</summary>
    public int Classes { get; init; }

    public required int Blocks { get; init; }

    public required int Filters { get; init; }

    public required int Mixtures { get; init; }

    public Nonlinearity Nonlinearity { get; init; } = Nonlinearity.ConcatElu;

    /// <summary>Probability that dropout zeroes an activation, in [0, 1).</summary>
    public double Dropout { get; init; }

    public bool CoordinateChannels { get; init; }

    public bool NonLocal { get; init; }

    /// <summary>The network emits samples in place of mixture parameters.</summary>
    public bool EnergyDistance { get; init; }

    public static NetworkShape From(RunSpec spec, int channels, int size, int classes) => new()
    {
        Channels = channels,
        Size = size,
        Classes = spec.Model.ClassConditional ? classes : 0,
        Blocks = spec.Model.Blocks,
        Filters = spec.Model.Filters,
        Mixtures = spec.Model.Mixtures,
        Nonlinearity = spec.Model.Nonlinearity,
        Dropout = spec.Model.Dropout,
        CoordinateChannels = spec.Model.CoordinateChannels,
        NonLocal = spec.Model.NonLocal,
        EnergyDistance = spec.Model.Objective == Objective.EnergyDistance,
    };

    /// <summary>
    /// Mixture parameters per pixel: a logit per component, then mean and log-scale, and for colour a coefficient, per component and
    /// channel.
    /// </summary>
    public int Logits => Channels == 1 ? 3 * Mixtures : 10 * Mixtures;
}
