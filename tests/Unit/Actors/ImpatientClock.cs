using System.Collections.Concurrent;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>The machine's clock, but for alarms that ring early when a test wants them to.</summary>
internal sealed class ImpatientClock : TimeProvider
{
    private readonly ConcurrentBag<(TimeSpan Due, Action Ring)> _alarms = [];

    /// <summary>Rings all alarms that were set for so long ahead.</summary>
    public void Ring(TimeSpan due)
    {
        foreach ((_, Action ring) in _alarms.Where(alarm => alarm.Due == due))
            ring();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        _alarms.Add((dueTime, () => callback(state)));
        return base.CreateTimer(callback, state, dueTime, period);
    }
}
