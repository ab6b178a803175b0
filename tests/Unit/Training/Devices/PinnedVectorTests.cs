using PixelCnnCluster.Exchange;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Training.Devices;

/// <summary>Memory that belongs to a tensor, here one that is not pinned, since only a GPU's driver pins.</summary>
public class PinnedVectorTests
{
    [Fact]
    public void What_is_written_to_the_memory_is_in_the_tensor()
    {
        Memory<float> memory = new PinnedVector(zeros(5)).Memory;
        memory.Span[3] = 7;
        Assert.Equal([0, 0, 0, 7, 0], PinnedVector.TensorOf(memory)!.data<float>().ToArray());
    }

    [Fact]
    public void Only_the_whole_memory_is_the_tensors()
    {
        Memory<float> memory = new PinnedVector(zeros(5)).Memory;
        Assert.Null(PinnedVector.TensorOf(memory[1..]));
        Assert.Null(PinnedVector.TensorOf(memory[..4]));
        Assert.Null(PinnedVector.TensorOf(new float[5]));
    }

    [Fact]
    public void A_vector_is_copied_there_and_back()
    {
        Memory<float> memory = new PinnedVector(zeros(3)).Memory;
        tensor(new[] { 1f, 2, 3 }).CopyTo(memory);
        Assert.Equal([1, 2, 3], memory.ToArray());
        Tensor back = zeros(3);
        back.CopyFrom(memory);
        Assert.Equal([1, 2, 3], back.data<float>().ToArray());
    }

    [Fact]
    public void A_pool_takes_back_a_part_and_lends_the_whole_again()
    {
        int made = 0;
        var pool = new VectorPool(6, length =>
        {
            made++;
            return new PinnedVector(zeros(length)).Memory;
        });
        Memory<float> first = pool.Rent();
        pool.Return(first.Slice(2, 3));
        Memory<float> second = pool.Rent();
        Assert.Equal(6, second.Length);
        Assert.Same(PinnedVector.TensorOf(first), PinnedVector.TensorOf(second));
        Assert.Equal(1, made);
    }
}
