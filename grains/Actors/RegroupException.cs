namespace PixelCnnCluster.Actors;

/// <summary>Another generation should take the place of this one; the message says why.</summary>
internal sealed class RegroupException : Exception
{
    public RegroupException(string message) : base(message) { }

    public RegroupException(string message, Exception inner) : base(message, inner) { }

    public RegroupException() { }
}
