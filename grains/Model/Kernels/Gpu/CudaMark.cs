using static TorchSharp.torch;

namespace PixelCnnCluster.Model.Kernels.Gpu;

/// <summary>
/// A place in a card's work. What is known there is copied while the card goes on: by another queue, which waits for the mark alone.
/// </summary>
public sealed class CudaMark : IDisposable
{
    private readonly int _card;
    private readonly nint _context, _passed;
    private readonly CudaStream _copies;

    public CudaMark(Device device)
    {
        _card = device.index;
        _context = CudaDriver.ContextOf(_card);
        _copies = new(device);
        CudaDriver.Enter(_context);
        _passed = CudaDriver.NewEvent();
    }

    /// <summary>Sets the mark behind what the calling thread gave the card last; in a recording, anew whenever that is repeated.</summary>
    public void Set()
    {
        // Threads of the backward pass may come here first.
        CudaDriver.Enter(_context);
        CudaDriver.Record(_passed, CudaStream.Current(_card));
    }

    /// <summary>Gives the card copies that begin when it has passed the mark.</summary>
    public void Copy(Action give)
    {
        CudaDriver.Await(_copies.Handle, _passed);
        _copies.Do(give);
    }

    /// <summary>Waits for the copies, and not for what the card does behind the mark.</summary>
    public void Finish() => CudaDriver.Finish(_copies.Handle);

    /// <remarks>A recording that sets the mark must not be repeated any more.</remarks>
    public void Dispose() => CudaDriver.DestroyEvent(_passed);
}
