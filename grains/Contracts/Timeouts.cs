namespace PixelCnnCluster.Contracts;

/// <summary>
/// How long a run's coordinator waits for answers: settings of each silo, because any may have the coordinator. A slow machine is not a
/// hung one, so the defaults are generous.
/// </summary>
public sealed record Timeouts
{
    /// <summary>A step, or what comes between two, may take this many times as long as the longest step of late.</summary>
    public int Tolerance { get; init; } = 20;

    /// <summary>Least of a step.</summary>
    public TimeSpan Step { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Least of a generation's first step, for which methods and kernels are compiled.</summary>
    public TimeSpan FirstStep { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Least of a join, a score, a picture, a hash or a part of a job.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>To read a large data set from a slow disk.</summary>
    public TimeSpan Data { get; init; } = TimeSpan.FromHours(1);

    /// <summary>To write a checkpoint.</summary>
    public TimeSpan Write { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>To write the last checkpoint of a run that is told to stop.</summary>
    public TimeSpan LastWrite { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Workers that have no state of the run are not awaited for longer when others are ready.</summary>
    public TimeSpan Newcomer { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>What is wrong, all at once.</summary>
    public IEnumerable<string> Validate()
    {
        if (Tolerance < 1)
            yield return $"Silo:Timeouts:Tolerance is {Tolerance}; give 1 or more.";
        foreach ((string name, TimeSpan value) in new[] { ("Step", Step), ("FirstStep", FirstStep), ("Answer", Answer), ("Data", Data),
            ("Write", Write), ("LastWrite", LastWrite), ("Newcomer", Newcomer) })
        {
            // A number alone counts days.
            if (value <= TimeSpan.Zero || value > TimeSpan.FromDays(1))
                yield return $"Silo:Timeouts:{name} is {value}; give a time above 0 and up to a day, as 00:01:00 for a minute.";
        }
    }
}
