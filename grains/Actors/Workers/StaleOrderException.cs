namespace PixelCnnCluster.Actors.Workers;

/// <summary>An order came from a generation that the worker is not in.</summary>
[GenerateSerializer]
public sealed class StaleOrderException : Exception
{
    public StaleOrderException(string message) : base(message) { }

    public StaleOrderException(string message, Exception inner) : base(message, inner) { }

    public StaleOrderException() { }

    /// <summary>Number of the newest generation that the worker has heard of; 0 if it serves the run no more.</summary>
    [Id(0)]
    public int Newest { get; init; }
}
