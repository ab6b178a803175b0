using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>Another generation should take the place of this one; the message says why.</summary>
internal sealed class RegroupException(GenerationCause cause, string message) : Exception(message)
{
    public GenerationCause Cause => cause;
}
