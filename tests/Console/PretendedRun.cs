using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests;

/// <summary>Answers each read with the next of the test's answers, and never again when there are none left.</summary>
internal sealed class PretendedRun : ITrainingRunGrain
{
    private long _next;

    public IReadOnlyList<Func<RunEvent[]>> Answers { get; set; } = [];

    /// <summary>Where each answer ends; null to count its events.</summary>
    public IReadOnlyList<long>? Positions { get; set; }

    public RunOverview? Overview { get; set; }

    public List<long> AskedFrom { get; } = [];

    /// <summary>What each wish to stop meets.</summary>
    public Func<Task> Stop { get; set; } = () => Task.CompletedTask;

    public int Stops { get; private set; }

    public Task<long> BeginAsync(RunSpec spec) => throw new NotSupportedException();

    public Task<long> ContinueAsync() => throw new NotSupportedException();

    public Task AssignWorkersAsync(IReadOnlyList<string> workers, IReadOnlyList<string> unfit) => throw new NotSupportedException();

    public Task<SamplesWritten?> SamplesAsync() => throw new NotSupportedException();

    public Task<string> CheckpointAsync() => throw new NotSupportedException();

    public Task<RunOverview> OverviewAsync() => Task.FromResult(Overview!);

    public Task StopAsync()
    {
        Stops++;
        return Stop();
    }

    public Task<RunProgress> ReadAsync(long from)
    {
        if (AskedFrom.Count == Answers.Count)
            return new TaskCompletionSource<RunProgress>().Task;
        AskedFrom.Add(from);
        RunEvent[] events = Answers[AskedFrom.Count - 1]();
        _next += events.Length;
        return Task.FromResult(
            new RunProgress(
                events, Positions?[AskedFrom.Count - 1] ?? _next, Over: AskedFrom.Count == Answers.Count && events is [.., RunEnded]
                    or []));
    }
}
