using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Devices;

namespace PixelCnnCluster.Unit.Tests.Training.Devices;

/// <summary>Work on the device's own threads: each item once, and every fault comes back as it was.</summary>
public sealed class DeviceThreadsTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 7)]
    [InlineData(3, 0)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(2, 500)]
    public async Task Every_item_is_done_exactly_once_by_a_thread_of_its_own_number(int count, int items)
    {
        using var threads = new DeviceThreads(count);
        int[] done = new int[items];
        bool[] busy = new bool[count];
        bool clash = false;
        await threads.RunAsync(() =>
        {
            threads.ForEach(items, (thread, item) =>
            {
                clash |= busy[thread];
                busy[thread] = true;
                Interlocked.Increment(ref done[item]);
                busy[thread] = false;
            });
            return 0;
        });
        Assert.All(done, times => Assert.Equal(1, times));
        Assert.False(clash);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_fault_of_an_item_reaches_the_caller_as_itself(int count)
    {
        using var threads = new DeviceThreads(count);
        for (int faulty = 0; faulty < 5; faulty++)
        {
            UserErrorException fault = await Assert.ThrowsAsync<UserErrorException>(() => threads.RunAsync<int>(() =>
            {
                threads.ForEach(5, (_, item) =>
                {
                    if (item == faulty)
                        throw new UserErrorException($"--flag {item} is wrong");
                });
                return 0;
            }));
            Assert.Equal($"--flag {faulty} is wrong", fault.Message);
            Assert.Contains(nameof(A_fault_of_an_item_reaches_the_caller_as_itself), fault.StackTrace, StringComparison.Ordinal);
        }

        Assert.Equal(1, await threads.RunAsync(() => 1));
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda:3")]
    public void A_GPU_that_is_not_there_is_told(string device) =>
        Assert.StartsWith(
            "no GPU can be used", Assert.Throws<InvalidOperationException>(() => new DeviceThreads(1, device)).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task A_fault_of_a_whole_order_reaches_the_caller_as_itself()
    {
        using var threads = new DeviceThreads(1);
        UserErrorException fault = await Assert.ThrowsAsync<UserErrorException>(
            () => threads.RunAsync<int>(() => throw new UserErrorException("--flag is wrong")));
        Assert.Equal("--flag is wrong", fault.Message);
        Assert.Equal(2, await threads.RunAsync(() => 2));
    }

    [Fact]
    public async Task Orders_run_one_after_another_on_one_thread_apart_from_the_pool()
    {
        using var threads = new DeviceThreads(2);
        var order = new List<int>();
        bool[] pool = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => threads.RunAsync(() =>
        {
            order.Add(i);
            return Thread.CurrentThread.IsThreadPoolThread;
        })));
        Assert.Equal(Enumerable.Range(0, 50), order);
        Assert.DoesNotContain(true, pool);
    }

    [Fact]
    public async Task Tensors_that_an_order_leaves_are_freed()
    {
        using var threads = new DeviceThreads(1);
        TorchSharp.torch.Tensor left = await threads.RunAsync(() => TorchSharp.torch.zeros(3));
        Assert.True(left.IsInvalid);
    }
}
