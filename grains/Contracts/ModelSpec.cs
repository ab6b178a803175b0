namespace PixelCnnCluster.Contracts;

/// <summary>Nonlinearity of the gated residual blocks.</summary>
public enum Nonlinearity { ConcatElu, Elu, Relu }

/// <summary>What training minimises. Test scores are always the plain likelihood.</summary>
public enum Objective
{
    /// <summary>Discretised mixture of logistics (arXiv 1701.05517).</summary>
    Likelihood,

    /// <summary>The same likelihood with focal weighting (arXiv 1708.02002).</summary>
    Focal,

    /// <summary>The network emits samples; trained by energy distance. It has no bits/dim.</summary>
    EnergyDistance,
}

/// <summary>The network of a run and what it is trained for.</summary>
public sealed record ModelSpec
{
    /// <summary>Gated residual blocks per stage (nr_resnet).</summary>
    public int Blocks { get; init; } = 5;

    /// <summary>Filters of every stage (nr_filters).</summary>
    public int Filters { get; init; } = 160;

    /// <summary>Logistic components of each pixel's mixture (nr_logistic_mix).</summary>
    public int Mixtures { get; init; } = 10;

    public Nonlinearity Nonlinearity { get; init; } = Nonlinearity.ConcatElu;

    /// <summary>Probability that dropout zeroes an activation, in [0, 1).</summary>
    public double Dropout { get; init; } = 0.5;

    public bool ClassConditional { get; init; }

    public bool CoordinateChannels { get; init; }

    public bool NonLocal { get; init; }

    public Objective Objective { get; init; } = Objective.Likelihood;

    public double FocalGamma { get; init; } = 2;

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Within(Blocks, 1, 100, "--nr-resnet");
        mistakes.Within(Filters, 2, 4096, "--nr-filters");
        mistakes.Within(Mixtures, 1, 1000, "--nr-logistic-mix");
        mistakes.Unless(
            Enum.IsDefined(Nonlinearity) && Enum.IsDefined(Objective),
            $"The nonlinearity is {Nonlinearity} and the objective {Objective}; give those that --help lists.");
        mistakes.Unless(Filters % 2 == 0 || !NonLocal, $"--nr-filters is {Filters}; --non-local halves it, so give an even number.");
        mistakes.Unless(Dropout is >= 0 and < 1, $"--dropout is {Dropout}; give a probability from 0 up to, not including, 1.");
        mistakes.Unless(FocalGamma is >= 0 and < double.PositiveInfinity, $"--focal-gamma is {FocalGamma}; give 0 or more.");
    }
}
