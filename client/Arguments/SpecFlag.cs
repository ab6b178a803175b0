using System.CommandLine;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>A flag together with what it does to the specification of a run.</summary>
public sealed record SpecFlag(Flag Flag, Func<RunSpec, ParseResult, ICollection<string>, RunSpec> Apply)
{
    public static SpecFlag Of<T>(Valued<T> flag, Func<RunSpec, T, RunSpec> set) =>
        new(flag, (spec, result, mistakes) => flag.TryRead(result, mistakes, out T? value) ? set(spec, value!) : spec);

    /// <summary>A flag that may be given several times.</summary>
    public static SpecFlag OfEach<T>(Valued<T> flag, Func<RunSpec, T, RunSpec> set) =>
        new(flag, (spec, result, mistakes) => flag.ReadAll(result, mistakes).Aggregate(spec, set));

    public static SpecFlag Of(Switch flag, Func<RunSpec, RunSpec> set) =>
        new(flag, (spec, result, _) => flag.IsGiven(result) ? set(spec) : spec);
}
