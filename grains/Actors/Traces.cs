using System.Diagnostics;

namespace PixelCnnCluster.Actors;

/// <summary>Spans over a step and over a job; nothing is made where nobody listens.</summary>
internal static class Traces
{
    private static readonly ActivitySource Source = new(Meters.Name);

    /// <summary>Begins a span below the current one; disposing of it ends it.</summary>
    public static Activity? Begin(string name, params ReadOnlySpan<(string Key, object Value)> tags) => Begin(name, parent: null, tags);

    /// <inheritdoc cref="Begin(string, ReadOnlySpan{ValueTuple{string, object}})"/>
    /// <param name="parent">For work on another thread, which does not know the current span.</param>
    public static Activity? Begin(string name, Activity? parent, params ReadOnlySpan<(string Key, object Value)> tags)
    {
        Activity? span = Source.StartActivity(name, ActivityKind.Internal, parent?.Context ?? default);
        foreach ((string key, object value) in tags)
            span?.SetTag(key, value);
        return span;
    }
}
