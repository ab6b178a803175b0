namespace PixelCnnCluster.Unit.Tests.Simulation;

/// <summary>
/// A clock and a scheduler of one thread on which everything of a simulated cluster runs, in an order that the seed alone decides.
/// </summary>
internal sealed class World : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = [];
    private readonly PriorityQueue<Alarm, (long At, long Number)> _alarms = new();
    private long _number;

    public World(int seed) => Random = new(seed);

    public Random Random { get; }

    /// <summary>What happened last, for the message of a failure.</summary>
    public Queue<string> Newest { get; } = [];

    /// <summary>Ticks since the world began.</summary>
    public long Now { get; private set; }

    public TimeSpan Elapsed => TimeSpan.FromTicks(Now);

    public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>A clock whose timers stop when <paramref name="isAlive"/> does not hold any more, like the processes of a node.</summary>
    public TimeProvider ClockOf(Func<bool> isAlive) => new Clock(this, isAlive);

    /// <summary>A moment between two numbers of milliseconds.</summary>
    public TimeSpan Between(double least, double most) => TimeSpan.FromMilliseconds(least + (Random.NextDouble() * (most - least)));

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public void Note(string text)
    {
        Newest.Enqueue($"{Elapsed.TotalSeconds,8:F3} {text}");
        if (Newest.Count > 60)
            Newest.Dequeue();
    }

    public Task Delay(TimeSpan delay) => Task.Delay(delay, ClockOf(() => true));

    /// <summary>Runs until the work is done.</summary>
    /// <exception cref="TimeoutException">It is not done by a moment of the world's time.</exception>
    public T Run<T>(Func<Task<T>> work, TimeSpan deadline, string awaited)
    {
        SynchronizationContext? before = Current;
        SetSynchronizationContext(this);
        try
        {
            Task<T> task = work();
            while (!task.IsCompleted)
            {
                if (_ready.TryDequeue(out (SendOrPostCallback Callback, object? State) next))
                    next.Callback(next.State);
                else if (_alarms.TryDequeue(out Alarm? alarm, out (long At, long Number) due) && due.At <= deadline.Ticks)
                    Ring(alarm, due.At);
                else
                    throw new TimeoutException($"After {deadline} there was still no {awaited}.");
            }

            return task.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    private void Ring(Alarm alarm, long at)
    {
        Now = Math.Max(Now, at);
        alarm.Ring();
    }

    private sealed class Clock(World world, Func<bool> isAlive) : TimeProvider
    {
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => world.Now;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + world.Elapsed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var alarm = new Alarm(world, isAlive, callback, state);
            alarm.Change(dueTime, period);
            return alarm;
        }
    }

    private sealed class Alarm(World world, Func<bool> isAlive, TimerCallback callback, object? state) : ITimer
    {
        private long _due = -1;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _due = dueTime < TimeSpan.Zero ? -1 : world.Now + dueTime.Ticks;
            if (_due >= 0)
                world._alarms.Enqueue(this, (_due, world._number++));
            return true;
        }

        public void Ring()
        {
            // An alarm that was set anew or taken back rings at its last time only.
            if (_due < 0 || _due > world.Now || !isAlive())
                return;
            _due = -1;
            callback(state);
        }

        public void Dispose() => _due = -1;

        public ValueTask DisposeAsync()
        {
            _due = -1;
            return ValueTask.CompletedTask;
        }
    }
}
