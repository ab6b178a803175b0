using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>Losses of shards and their gradients, which each of the device's threads has in a vector of its own.</summary>
/// <param name="values">The parameters [Length], which change in place.</param>
internal sealed class ShardGradients(RunSpec spec, PixelCnn network, Tensor values, DeviceThreads threads) : IDisposable
{
    private readonly Parameters?[] _parameters = new Parameters?[threads.Count];
    private bool _isToBeRecorded = RecordedShard.Takes(spec, threads.Device);
    private RecordedShard? _recorded;

    /// <summary>The parameters with a thread's gradient vector, made when the thread first computes.</summary>
    public Parameters Of(int thread) => _parameters[thread] ??=
        new(network.Layout, values, zeros(network.Layout.Length, device: threads.Device).DetachFromDisposeScope());

    /// <summary>A shard's loss. Its gradient takes the place of the thread's one before.</summary>
    /// <param name="downPassDone">See <see cref="ForwardContext.DownPassDone"/>. On GPUs both passes may be one launch: then it is called
    /// when they are recorded, and what it gives the card to do is repeated.</param>
    public Tensor Loss(int thread, Tensor images, Tensor? labels, ulong seed, Action downPassDone)
    {
        Parameters own = Of(thread);
        if (_isToBeRecorded || _recorded is not null)
        {
            Tensor keys = ForwardContext.MaskKeysOf(seed, network.Masks).MovedTo(threads.Device);
            _recorded ??= RecordedShard.TryRecord((images, labels, keys) => Loss(images, PassOf(labels, keys)), images, labels, keys);
            _isToBeRecorded = false;
            if (_recorded is not null)
                return _recorded.Compute(images, labels, keys);
        }

        return Loss(images, PassOf(labels, keys: null));

        ForwardContext PassOf(Tensor? labels, Tensor? keys) =>
            new(own)
            {
                Labels = labels,
                Dropout = true,
                Precision = spec.Compute.Precision,
                Seed = seed,
                MaskKeys = keys,
                DownPassDone = downPassDone
            };
    }

    public void Dispose()
    {
        _recorded?.Dispose();
        foreach (Parameters each in _parameters.OfType<Parameters>())
        {
            each.Dispose();
            each.Gradient!.Dispose();
        }
    }

    private Tensor Loss(Tensor images, ForwardContext context)
    {
        context.Parameters.Gradient!.zero_();
        Tensor loss = Losses.Sum(spec.Model.Objective, network.Forward(context, images), images, spec.Model.FocalGamma);
        loss.backward();
        return loss;
    }
}
