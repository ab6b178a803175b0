using PixelCnnCluster.Actors;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Tests.Training;

namespace PixelCnnCluster.Tests.Actors;

public sealed class FolderWorkTests
{
    [Fact]
    public async Task A_folder_that_does_not_answer_is_told_of()
    {
        using var answer = new ManualResetEventSlim();
        var clock = new HandClock();
        Task<bool> asked = FolderWork.DoAsync(
            "/volume/run",
            () =>
            {
                answer.Wait();
                return true;
            },
            clock);
        clock.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(asked.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(() => asked.Soon("answer about the folder"));
        answer.Set();
        Assert.Equal("/volume/run does not answer within 5 s; see that the silos' volume is there, or name another folder.", mistake.Message);
    }

    [Fact]
    public async Task What_the_folder_says_is_passed_on()
    {
        Assert.Equal(3, await FolderWork.DoAsync("/volume/run", () => 3, TimeProvider.System));
        await Assert.ThrowsAsync<UserErrorException>(() => FolderWork.DoAsync<int>("/volume/run", () => throw new UserErrorException("It is full."), TimeProvider.System));
    }
}
