using Orleans.Storage;
using PixelCnnCluster.Actors.Runs;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>A store that, if a test wants it, keeps the end of a run waiting and refuses what is written next.</summary>
internal sealed class HeldStorage : IGrainStorage
{
    private IGrainStorage? _inner;
    private TaskCompletionSource? _going;
    private bool _refuses;

    /// <summary>Completes when the end of a run waits.</summary>
    public TaskCompletionSource Waits { get; private set; } = new();

    /// <summary>Completes when the next write has been refused.</summary>
    public TaskCompletionSource Refused { get; private set; } = new();

    public IGrainStorage Over(IGrainStorage inner)
    {
        _inner = inner;
        return this;
    }

    /// <summary>The next end of a run waits.</summary>
    public void Hold()
    {
        Waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _going = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Writes the end that waits, and refuses the write after it.</summary>
    public void GoOn()
    {
        _refuses = true;
        _going!.SetResult();
    }

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        _inner!.ReadStateAsync(stateName, grainId, grainState);

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (grainState.State is RunRecord { IsOver: true } && _going is { } going)
        {
            if (_refuses)
            {
                (_going, _refuses) = (null, false);
                Refused.SetResult();
                throw new IOException("The store is away for a moment.");
            }

            Waits.SetResult();
            await going.Task;
        }

        await _inner!.WriteStateAsync(stateName, grainId, grainState);
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) =>
        _inner!.ClearStateAsync(stateName, grainId, grainState);
}
