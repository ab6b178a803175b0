using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Model.Layers;

/// <summary>What the network looks like: the part of a run's specification, and of its data, that decides the parameters' shapes.</summary>
/// <param name="Channels">1 or 3.</param>
/// <param name="Size">Side in pixels, a multiple of 4 from 8 to 64.</param>
/// <param name="Classes">Labels that the network is conditioned on; 0 for an unconditional network.</param>
/// <param name="EnergyDistance">The network emits samples in place of mixture parameters.</param>
public sealed record NetworkShape(
    int Channels, int Size, int Classes, int Blocks, int Filters, int Mixtures, Nonlinearity Nonlinearity,
    double Dropout, bool CoordinateChannels, bool NonLocal, bool EnergyDistance)
{
    public static NetworkShape From(RunSpec spec, int channels, int size, int classes) => new(
        channels, size, spec.Model.ClassConditional ? classes
            : 0, spec.Model.Blocks, spec.Model.Filters, spec.Model.Mixtures, spec.Model.Nonlinearity,
        spec.Model.Dropout, spec.Model.CoordinateChannels, spec.Model.NonLocal, spec.Model.Objective == Objective.EnergyDistance);

    /// <summary>
    /// Mixture parameters per pixel: a logit per component, then mean and log-scale, and for colour a coefficient, per component and
    /// channel.
    /// </summary>
    public int Logits => Channels == 1 ? 3 * Mixtures : 10 * Mixtures;
}
