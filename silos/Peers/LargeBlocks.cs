using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace PixelCnnCluster.Silo.Peers;

/// <summary>
/// Memory of the web server's connections in blocks of 1 MB in place of 4 KB: each block is filled by one read from the system, and reads are what receiving
/// gradients costs.
/// </summary>
public sealed class LargeBlocks : IMemoryPoolFactory<byte>
{
    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool();

    private sealed class Pool : MemoryPool<byte>
    {
        private const int BlockBytes = 1 << 20;

        private readonly ConcurrentBag<Block> free = [];

        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
            return free.TryTake(out Block? block) ? block : new(this);
        }

        protected override void Dispose(bool disposing) => free.Clear();

        private sealed class Block(Pool pool) : IMemoryOwner<byte>
        {
            /// <summary>Pinned, so that the system can write to it.</summary>
            public Memory<byte> Memory { get; } = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);

            public void Dispose() => pool.free.Add(this);
        }
    }
}
