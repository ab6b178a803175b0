using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Kernels.Gpu;
using PixelCnnCluster.Model.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>
/// A shard's loss and gradient on a GPU as one launch: a network has so many short operations that with small shards the card would wait
/// for the processor. Every shard has as many images, so one recording does for all.
/// </summary>
internal sealed class RecordedShard : IDisposable
{
    private readonly Tensor _images, _keys, _loss;
    private readonly Tensor? _labels;
    private readonly CudaGraph _graph;

    private RecordedShard(Func<Tensor, Tensor?, Tensor, Tensor> compute, Tensor images, Tensor? labels, Tensor keys)
    {
        _images = images.clone().DetachFromDisposeScope();
        _labels = labels?.clone().DetachFromDisposeScope();
        _keys = keys.clone().DetachFromDisposeScope();
        Tensor? made = null;
        try
        {
            _graph = new(images.device, () =>
            {
                using DisposeScope scope = NewDisposeScope();
                made = compute(_images, _labels, _keys).detach().DetachFromDisposeScope();
            });
        }
        catch
        {
            DisposeInputs();
            throw;
        }

        _loss = made!;
    }

    /// <summary>
    /// Whether a run's shards can be recorded: other randomness than the masks' keys would be that of the recording for good. libtorch
    /// records on a process' first card.
    /// </summary>
    public static bool Takes(RunSpec spec, Device device) =>
        device.type == DeviceType.CUDA && device.index == 0 && spec.Model.Objective != Objective.EnergyDistance
        && (spec.Model.Nonlinearity == Nonlinearity.ConcatElu || spec.Model.Dropout == 0);

    /// <summary>Records after the work was done twice, by which time the tensor library has made what it keeps.</summary>
    /// <param name="compute">The loss of images, labels and the keys of dropout masks; it leaves the gradient where it always does.</param>
    /// <returns>Null where the card has not twice the room: a recording has memory of its own, as much as the work takes, for as long as it
    /// is there, and scores and samples want some.</returns>
    public static RecordedShard? TryRecord(Func<Tensor, Tensor?, Tensor, Tensor> compute, Tensor images, Tensor? labels, Tensor keys)
    {
        TorchDevice.GiveBackMemory(images.device);
        long before = TorchDevice.MemoryOf(images.device).Free;
        for (int i = 0; i < 2; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            _ = compute(images, labels, keys).Value<float>();
        }

        long taken = before - TorchDevice.MemoryOf(images.device).Free;
        TorchDevice.GiveBackMemory(images.device);
        if (TorchDevice.MemoryOf(images.device).Free < 2 * taken)
            return null;
        try
        {
            return new(compute, images, labels, keys);
        }
        catch (ExternalException)
        {
            return null;
        }
    }

    /// <returns>The loss; the next call writes another in its place.</returns>
    public Tensor Compute(Tensor newImages, Tensor? newLabels, Tensor newKeys)
    {
        _images.copy_(newImages);
        _labels?.copy_(newLabels!);
        _keys.copy_(newKeys);
        _graph.Replay();
        return _loss;
    }

    public void Dispose()
    {
        _graph.Dispose();
        _loss.Dispose();
        DisposeInputs();
    }

    private void DisposeInputs()
    {
        _images.Dispose();
        _labels?.Dispose();
        _keys.Dispose();
    }
}
