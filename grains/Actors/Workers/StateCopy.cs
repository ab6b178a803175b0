using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Actors.Workers;

/// <summary>Copies a run's state from a peer in slices. Until the last has come the worker has none.</summary>
internal sealed class StateCopy(WorkerSession mine, JoinRequest request, IWorkerGrain source, IDevice device)
{
    /// <summary>Of one request at most.</summary>
    public const int SliceBytes = 1 << 20;

    private const int SlicesInFlight = 4;

    private readonly CancellationToken _over = mine.Over;
    private readonly long _step = request.Step ?? throw new ArgumentException("A state is copied at a step.", nameof(request));
    private int _skippedInARow;
    private long _images;

    /// <exception cref="OperationCanceledException">The generation ended first.</exception>
    public async Task RunAsync()
    {
        mine.HasState = false;
        Queue<Task> inFlight = [];
        foreach ((long offset, int length) in mine.Replica!.StateSlices(SliceBytes))
        {
            if (inFlight.Count == SlicesInFlight)
                await inFlight.Dequeue();
            inFlight.Enqueue(CopyAsync(new(request.Run, request.Generation, _step, offset, length)));
        }

        await Task.WhenAll(inFlight);
        await OnDeviceAsync(() =>
        {
            mine.Replica!.StartAt(_step, _skippedInARow, _images);
            mine.HasState = true;
        });
    }

    private async Task CopyAsync(StateRequest slice)
    {
        StateResponse copy = await ReadAsync(slice);
        await OnDeviceAsync(() =>
        {
            mine.Replica!.WriteState(slice.Offset, copy.Data.Span);
            (_skippedInARow, _images) = (copy.SkippedInARow, copy.Images);
        });
    }

    /// <summary>Asks again while the source is busy; when it is lost, the copy fails and another generation finds another source.</summary>
    private async Task<StateResponse> ReadAsync(StateRequest slice)
    {
        while (true)
        {
            try
            {
                return await source.ReadStateAsync(slice).WaitAsync(_over);
            }
            catch (TimeoutException)
            {
            }
        }
    }

    private Task OnDeviceAsync(Action work) => device.RunAsync(() =>
    {
        _over.ThrowIfCancellationRequested();
        work();
    });
}
