using PixelCnnCluster.Actors.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Actors;

public sealed class FolderWorkTests
{
    [Fact]
    public async Task A_folder_that_does_not_answer_is_told_of()
    {
        using var answer = new ManualResetEventSlim();
        var clock = new HandClock();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int threads = 0;
        Task<bool> asked = AskAsync();
        await begun.Task.SoonAsync("thread that waits for the folder");
        clock.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(asked.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => asked.SoonAsync("answer about the folder"));
        Assert.Contains("/volume/hung", mistake.Message, StringComparison.Ordinal);
        // No second thread waits for it, and nobody waits 5 s again.
        Assert.Equal(
            mistake.Message, (await Assert.ThrowsAsync<UserErrorException>(() => AskAsync().SoonAsync("answer about the folder"))).Message);
        Assert.Equal(1, threads);

        answer.Set();
        while (await Answered() is false)
            await Task.Yield();

        Task<bool> AskAsync() => FolderWork.DoAsync(
            "/volume/hung",
            () =>
            {
                threads++;
                begun.TrySetResult();
                answer.Wait();
                return true;
            },
            clock);

        async Task<bool> Answered()
        {
            try
            {
                return await AskAsync().SoonAsync("answer about the folder");
            }
            catch (UserErrorException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task What_the_folder_says_is_passed_on()
    {
        Assert.Equal(3, await FolderWork.DoAsync("/volume/run", () => 3, TimeProvider.System));
        await Assert.ThrowsAsync<UserErrorException>(
            () => FolderWork.DoAsync<int>("/volume/run", () => throw new UserErrorException("It is full."), TimeProvider.System));
    }
}
