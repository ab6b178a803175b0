using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model;
using PixelCnnCluster.Training.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training;

/// <summary>A checkpoint's Polyak average on a device: draws and scores. Its methods are called on the device.</summary>
public sealed class TrainedModel : IDisposable
{
    /// <summary>Images that a thread scores at once.</summary>
    public const int Batch = 8;

    private readonly DeviceThreads threads;
    private readonly PixelCnn network;
    private readonly Tensor values;
    private readonly Parameters parameters;

    private TrainedModel(ModelInfo card, DeviceThreads threads)
    {
        (Card, this.threads) = (card, threads);
        network = new(NetworkShape.From(card.Spec, card.Channels, card.Size, card.Classes));
        values = zeros(network.Layout.Length, device: threads.Device).DetachFromDisposeScope();
        parameters = new(network.Layout, values);
    }

    public ModelInfo Card { get; }

    /// <exception cref="UserErrorException">The checkpoint is damaged, or is not the one that the card is of.</exception>
    public static TrainedModel Load(ModelInfo card, DeviceThreads threads)
    {
        var model = new TrainedModel(card, threads);
        try
        {
            Checkpoint.ReadAverage(card, model.values, model.network.Layout);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Begins to draw; the drawing does not need the model any more.</summary>
    public ImageSampling Sample(SampleRowsRequest order) => new(
        network, parameters, threads, order.First, order.End, order.Seed, i => order.Class ?? i % Card.Classes,
        order.Given is null ? null : (order.Given, order.Mask!), new(order.MixtureTemperature, order.LogisticTemperature));

    /// <summary>Scores images at positions [first, end) of a set.</summary>
    /// <param name="label">Class of all of them; null takes the set's labels.</param>
    /// <param name="maps">To tell the bits of each pixel too.</param>
    /// <returns>Bits of each image, and where they went if that was asked for.</returns>
    public (double[] Bits, ScoreMaps? Maps) Score(ImageSet images, int first, int end, int? label, bool maps)
    {
        int plane = Card.Size * Card.Size;
        double[] bits = new double[end - first];
        float[]? pixelBits = maps ? new float[bits.Length * plane] : null;
        threads.ForEach((bits.Length + Batch - 1) / Batch, (_, batch) =>
        {
            using var none = no_grad();
            int from = batch * Batch;
            int[] positions = [.. Enumerable.Range(first + from, Math.Min(Batch, bits.Length - from))];
            Tensor pixels = images.ToTensor(positions, threads.Device);
            Tensor? labels = Card.Classes == 0 ? null : tensor(positions.Select(i => (long)(label ?? images.Label(i))).ToArray()).MovedTo(threads.Device);
            Tensor nats = MixtureLikelihood.LogProbability(network.Forward(new ForwardContext(parameters) { Labels = labels }, pixels), pixels);
            Tensor each = nats.Over(-Math.Log(2)).contiguous();
            HostBytes.Read(each.sum([1, 2], type: ScalarType.Float64), sums => sums.CopyTo(MemoryMarshal.AsBytes(bits.AsSpan(from))));
            if (pixelBits is not null)
                HostBytes.Read(each, map => map.CopyTo(MemoryMarshal.AsBytes(pixelBits.AsSpan(from * plane))));
        });
        return (bits, pixelBits is null ? null : new(pixelBits, [.. Enumerable.Range(first, bits.Length).SelectMany(i => images.Image(i).ToArray())]));
    }

    public void Dispose()
    {
        parameters.Dispose();
        values.Dispose();
    }
}
