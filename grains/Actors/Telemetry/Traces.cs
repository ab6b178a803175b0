using System.Diagnostics;

namespace PixelCnnCluster.Actors.Telemetry;

/// <summary>Spans over a step and over a job; nothing is made where nobody listens.</summary>
internal static class Traces
{
    private static readonly ActivitySource Source = new(Meters.Name);

    /// <summary>Begins a span below the current one; disposing of it ends it.</summary>
    public static Activity? Begin(string name, params ReadOnlySpan<(string Key, object Value)> tags)
    {
        Activity? span = Source.StartActivity(name);
        foreach ((string key, object value) in tags)
            span?.SetTag(key, value);
        return span;
    }

    /// <summary>
    /// Adds a span below the current one for what was done between two of the clock's timestamps, maybe before anybody knew what for.
    /// </summary>
    public static void Add(string name, long begin, long end, TimeProvider clock)
    {
        if (!Source.HasListeners())
            return;
        DateTimeOffset now = clock.GetUtcNow();
        Activity? span = Source.StartActivity(
            name, ActivityKind.Internal, parentContext: default, startTime: now - clock.GetElapsedTime(begin));
        span?.SetEndTime((now - clock.GetElapsedTime(end)).UtcDateTime);
        span?.Stop();
    }
}
