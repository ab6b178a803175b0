using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>
/// Workers whose work for a run or a job failed. Each is left alone for a while, twice as long each time, or until another process has its
/// name. Used from one coordinator's turns only.
/// </summary>
/// <param name="processOf">Identity of the process that has a worker's name; null while the cluster has none.</param>
internal sealed class UnfitWorkers(Func<string, string?> processOf, TimeProvider time)
{
    private static readonly TimeSpan FirstRest = TimeSpan.FromSeconds(30), LongestRest = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, Failure> _failures = [];

    public IReadOnlyList<string> Names => [.. _failures.Keys.Where(Contains)];

    /// <summary>What to tell when there is nobody else: a mistake of the user's, if there is one.</summary>
    public Exception Fault
    {
        get
        {
            Exception[] faults = [.. _failures.Values.OrderBy(failure => failure.At).Select(failure => failure.Fault)];
            return faults.FirstOrDefault(fault => fault is UserErrorException) ?? faults[^1];
        }
    }

    public bool Contains(string worker) =>
        _failures.TryGetValue(worker, out Failure? failure) && failure.Process == processOf(worker)
            && time.GetElapsedTime(failure.At) < failure.Rest;

    public void Add(string worker, Exception fault)
    {
        string? process = processOf(worker);
        TimeSpan rest = _failures.TryGetValue(worker, out Failure? before) && before.Process == process ? before.Rest * 2 : FirstRest;
        _failures[worker] = new(fault, process, time.GetTimestamp(), rest < LongestRest ? rest : LongestRest);
    }

    private sealed record Failure(Exception Fault, string? Process, long At, TimeSpan Rest);
}
