using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Objectives;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>A checkpoint's Polyak average on a device: samples and scores. Its methods are called on the device.</summary>
public sealed class TrainedModel : IDisposable
{
    /// <summary>Images that a thread scores at once.</summary>
    public const int Batch = 8;

    private readonly DeviceThreads _threads;
    private readonly PixelCnn _network;
    private readonly Tensor _values;
    private readonly Parameters _parameters;

    private TrainedModel(ModelInfo info, DeviceThreads threads)
    {
        (Info, _threads) = (info, threads);
        _network = new(NetworkShape.From(info.Spec, info.Channels, info.Size, info.Classes));
        _values = Checkpoint.ReadAverage(info, _network.Layout, threads.Device);
        if (!_values.isfinite().all().Value<bool>())
        {
            _values.Dispose();
            throw new InvalidDataException(
                $"{info.Path} has diverged: its parameters are not finite. Name another checkpoint with --model.");
        }

        _parameters = new(_network.Layout, _values);
    }

    public ModelInfo Info { get; }

    /// <exception cref="UserErrorException">The checkpoint is damaged, is another than the one described, or there can be no such
    /// model.</exception>
    public static TrainedModel Load(ModelInfo info, DeviceThreads threads)
    {
        info.Check();
        return new(info, threads);
    }

    /// <summary>Begins to sample; the sampling does not need the model any more.</summary>
    public ImageSampling Sample(SampleRowsRequest request) => new(
        _network, _parameters, _threads, new(request.First, request.End, request.Seed, i => request.Class ?? i % Info.Classes)
        {
            Given = request.Given is null ? null : (request.Given, request.Mask!),
            Temperatures = new(request.MixtureTemperature, request.LogisticTemperature),
        });

    /// <summary>Scores images at positions [first, end) of a set.</summary>
    /// <param name="label">Class of all of them; null takes the set's labels.</param>
    /// <param name="maps">To tell the bits of each pixel too.</param>
    /// <returns>Bits of each image, and where they went if that was asked for.</returns>
    public (double[] Bits, ScoreMaps? Maps) Score(ImageSet images, int first, int end, int? label, bool maps)
    {
        int plane = Info.Size * Info.Size;
        double[] bits = new double[end - first];
        float[]? pixelBits = maps ? new float[bits.Length * plane] : null;
        _threads.ForEach((bits.Length + Batch - 1) / Batch, (_, batch) =>
        {
            using IDisposable none = no_grad();
            int from = batch * Batch;
            int[] positions = [.. Enumerable.Range(first + from, Math.Min(Batch, bits.Length - from))];
            var pixels = images.ToTensor(positions, _threads.Device);
            Tensor? labels = Info.Classes == 0 ? null
                : tensor(positions.Select(i => (long)(label ?? images.Label(i))).ToArray()).MovedTo(_threads.Device);
            Tensor nats = MixtureLikelihood.LogProbability(
                _network.Forward(new ForwardContext(_parameters) { Labels = labels }, pixels), pixels);
            Tensor each = nats.Over(-Math.Log(2)).contiguous();
            HostBytes.Read(each.sum([1, 2], type: ScalarType.Float64), sums => sums.CopyTo(MemoryMarshal.AsBytes(bits.AsSpan(from))));
            if (pixelBits is not null)
                HostBytes.Read(each, map => map.CopyTo(MemoryMarshal.AsBytes(pixelBits.AsSpan(from * plane))));
        });
        return (bits, pixelBits is null ? null
            : new(pixelBits, [.. Enumerable.Range(first, bits.Length).SelectMany(i => images.Image(i).ToArray())]));
    }

    public void Dispose()
    {
        _parameters.Dispose();
        _values.Dispose();
    }
}
