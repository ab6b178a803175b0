using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>Whoever asks for a checkpoint is answered, whatever becomes of it.</summary>
public sealed class SaveRequestTests
{
    private static readonly CheckpointSaved Saved = new(7, "step-7", 100, "hash");

    private readonly SaveRequest _request = new();

    [Fact]
    public async Task All_who_ask_before_it_is_taken_up_get_one_answer_and_later_ones_the_next()
    {
        Task<CheckpointSaved?> first = _request.AskAsync(), second = _request.AskAsync();
        var saving = new TaskCompletionSource<CheckpointSaved?>();
        Assert.True(_request.IsPending);

        Task answering = _request.AnswerAsync(saving.Task);
        Assert.False(_request.IsPending);
        Task<CheckpointSaved?> third = _request.AskAsync();
        saving.SetResult(Saved);
        await answering.SoonAsync("answer");

        Assert.Equal([Saved, Saved], await Task.WhenAll(first, second).SoonAsync("answers"));
        Assert.False(third.IsCompleted);
    }

    [Fact]
    public async Task Who_asks_is_told_when_the_checkpoint_could_not_be_made()
    {
        Task<CheckpointSaved?> asked = _request.AskAsync();

        await _request.AnswerAsync(Task.FromException<CheckpointSaved?>(new IOException("No space left on device"))).SoonAsync("answer");

        Assert.Null(await asked.SoonAsync("answer"));
    }
}
