using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>
/// Somebody's wish for a checkpoint of the run as it is now. All who ask before it is taken up share one answer, and each is answered.
/// </summary>
internal sealed class SaveRequest
{
    private TaskCompletionSource<CheckpointSaved?>? _asked;

    public bool IsPending => _asked is not null;

    /// <returns>The checkpoint, once written; null if it could not be.</returns>
    public Task<CheckpointSaved?> AskAsync() => (_asked ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Takes it up: who asks from now on asks anew.</summary>
    public async Task AnswerAsync(Task<CheckpointSaved?> saving)
    {
        TaskCompletionSource<CheckpointSaved?>? answered = _asked;
        _asked = null;
        try
        {
            answered?.SetResult(await saving);
        }
        catch (Exception)
        {
            // Whoever saves tells the fault.
            answered?.SetResult(null);
        }
    }
}
