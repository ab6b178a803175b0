using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>Times a run's steps, so that a worker whose device hangs is told from one that is slow.</summary>
internal sealed class StepRunner(Timeouts timeouts, TimeProvider time)
{
    /// <summary>Of the longest step, with each step: one that was slow is forgotten after some hundred.</summary>
    private const double Decay = 0.99;

    private TimeSpan _longest, _total;
    private long _count;
    private int _lateInARow;
    private bool _inProgress, _isFirst = true;

    /// <summary>When the newest step ended, if the next follows at once: that began then, before its order.</summary>
    private long? _followed;

    /// <summary>Duration of the newest step.</summary>
    public TimeSpan Newest { get; private set; }

    public double StepsPerSecond => _count == 0 ? 0 : _count / _total.TotalSeconds;

    /// <summary>Of what is asked of a worker between steps.</summary>
    public TimeSpan AnswerTimeout => AtLeast(timeouts.Answer);

    /// <summary>
    /// Doubled each time that it has passed, so that a machine that is slower than anybody thought is not given up for ever.
    /// </summary>
    private TimeSpan StepTimeout => AtLeast(_isFirst ? timeouts.FirstStep : timeouts.Step) * Math.Pow(2, _lateInARow);

    /// <summary>Orders a step and waits for all reports.</summary>
    /// <param name="prefetchNext">See <see cref="StepRequest"/>.</param>
    /// <exception cref="WorkerFaultException">A worker was lost, its work threw, or its device has not done it by the step's
    /// deadline.</exception>
    public async Task<StepResponse[]> RunAsync(Generation generation, long step, bool prefetchNext)
    {
        long ordered = time.GetTimestamp(), begun = _followed ?? ordered;
        _inProgress = true;
        TimeSpan timeout = StepTimeout;
        Task<StepResponse[]> responses = generation.AskAllAsync(
            (_, worker) => worker.StepAsync(new(generation.Run, generation.Id, step, prefetchNext)), timeout * 2);
        StepResponse[] all;
        try
        {
            all = await responses.WaitAsync(timeout, time);
        }
        catch (TimeoutException)
        {
            _lateInARow++;
            throw await StragglerDetector.FindAsync(generation, $"step {step}", timeout, time);
        }

        long end = time.GetTimestamp();
        TimeSpan answered = time.GetElapsedTime(ordered, end);
        (_inProgress, _followed, Newest) = (false, prefetchNext ? end : null, time.GetElapsedTime(begun, end));
        // A generation's first step compiles methods and kernels, which says nothing about the others.
        if (!_isFirst)
            _longest = answered > _longest * Decay ? answered : _longest * Decay;
        (_isFirst, _lateInARow) = (false, 0);
        (_total, _count) = (_total + Newest, _count + 1);
        return all;
    }

    /// <summary>Something comes before the next step that is none of its time.</summary>
    public void Interrupt() => _followed = null;

    /// <summary>A generation begins.</summary>
    /// <returns>Steps that are done again: those that were committed and are lost with all who had applied them, and the one in
    /// progress.</returns>
    public long Regroup(long committed, long begin)
    {
        long redone = committed - begin + (_inProgress ? 1 : 0);
        (_inProgress, _isFirst) = (false, true);
        Interrupt();
        return Math.Max(0, redone);
    }

    private TimeSpan AtLeast(TimeSpan least) => _longest * timeouts.Tolerance > least ? _longest * timeouts.Tolerance : least;
}
