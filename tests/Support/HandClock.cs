namespace PixelCnnCluster.Support;

/// <summary>A clock that stands until it is told to go on.</summary>
public sealed class HandClock : TimeProvider
{
    private readonly List<Alarm> _alarms = [];
    private DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => _now.Ticks;

    public void Advance(TimeSpan by)
    {
        _now += by;
        foreach (Alarm due in _alarms.Where(alarm => alarm.Due <= _now).ToList())
        {
            _alarms.Remove(due);
            due.Ring();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var alarm = new Alarm(this, _now + dueTime, () => callback(state));
        _alarms.Add(alarm);
        return alarm;
    }

    private sealed record Alarm(HandClock Clock, DateTimeOffset Due, Action Ring) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

        public void Dispose() => Clock._alarms.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
