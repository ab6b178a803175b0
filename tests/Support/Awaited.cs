using Xunit;

namespace PixelCnnCluster.Support;

/// <summary>Waits with a deadline that is far beyond what the work takes.</summary>
public static class Awaited
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static async Task<T> SoonAsync<T>(this Task<T> task, string awaited)
    {
        await ((Task)task).SoonAsync(awaited);
        return await task;
    }

    public static async Task SoonAsync(this Task task, string awaited)
    {
        if (await Task.WhenAny(task, Task.Delay(Deadline)) != task)
            Assert.Fail($"no {awaited} within {Deadline}");
        await task;
    }
}
