namespace PixelCnnCluster.Actors;

/// <summary>How long a coordinator waits for answers. A slow machine is not a hung one, so these are generous.</summary>
internal static class Timeouts
{
    /// <summary>A step, or what comes between two, may take this many times as long as the longest step of late.</summary>
    public const int Tolerance = 20;

    /// <summary>Least of a step.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMinutes(1);

    /// <summary>Least of a generation's first step, for which methods and kernels are compiled.</summary>
    public static readonly TimeSpan FirstStep = TimeSpan.FromMinutes(15);

    /// <summary>Least of a join, a score, a picture, a hash or a part of a job.</summary>
    public static readonly TimeSpan Answer = TimeSpan.FromMinutes(15);

    /// <summary>To read a large data set from a slow disk.</summary>
    public static readonly TimeSpan Data = TimeSpan.FromHours(1);

    /// <summary>To write a checkpoint.</summary>
    public static readonly TimeSpan Write = TimeSpan.FromMinutes(10);

    /// <summary>To write the last checkpoint of a run that is told to stop.</summary>
    public static readonly TimeSpan LastWrite = TimeSpan.FromMinutes(1);

    /// <summary>Workers that have no state of the run are not awaited for longer when others are ready.</summary>
    public static readonly TimeSpan Newcomer = TimeSpan.FromMinutes(1);
}
