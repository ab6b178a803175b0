using System.Globalization;
using System.Runtime.InteropServices;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Unit.Tests.Weights;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>A small network with what an independent implementation computed with it.</summary>
public sealed class ReferenceVector : IDisposable
{
    private readonly IReadOnlyDictionary<string, SafeTensor> _tensors;

    private ReferenceVector(string path)
    {
        (_tensors, IReadOnlyDictionary<string, string> metadata) = Stored.Parse(File.ReadAllBytes(path));
        int Number(string key) => int.Parse(metadata[key], CultureInfo.InvariantCulture);
        Network = new(new NetworkShape
        {
            Channels = Number("channels"),
            Size = Number("height"),
            Blocks = Number("resnets"),
            Filters = Number("filters"),
            Mixtures = Number("mixtures"),
        });
        Parameters = new(Network.Layout, zeros(Network.Layout.Length));
        foreach (Slot slot in Network.Layout.Slots)
            Parameters[slot].copy_(Parameter(slot));
    }

    public PixelCnn Network { get; }

    public Parameters Parameters { get; }

    public Tensor Images => ImageScaling.FromBytes(this["pixels"]);

    /// <summary>Files that come with the tests and those in the folder that PIXELCNN_VECTORS names.</summary>
    public static TheoryData<string> Paths
    {
        get
        {
            string own = Path.Combine(AppContext.BaseDirectory, "vectors");
            string? more = Environment.GetEnvironmentVariable("PIXELCNN_VECTORS");
            return [.. new[] { own, more }.OfType<string>().SelectMany(folder => Directory.GetFiles(folder, "*.safetensors")).Order()];
        }
    }

    public Tensor this[string name]
    {
        get
        {
            SafeTensor stored = _tensors[name];
            return stored.Type == "U8"
                ? tensor(stored.Data.ToArray(), stored.Shape, ScalarType.Byte)
                : tensor(MemoryMarshal.Cast<byte, float>(stored.Data.Span).ToArray(), stored.Shape);
        }
    }

    public static ReferenceVector Load(string path) => new(path);

    public void Dispose() => Parameters.Dispose();

    /// <summary>Plain weights as weight-normalised ones: v is the weight, g the norm of each output filter.</summary>
    private Tensor Parameter(Slot slot)
    {
        string layer = slot.Name[..^2];
        Tensor weight = this[layer + ".weight"];
        return slot.Name[^1] switch
        {
            'v' => weight,
            'g' => (layer.StartsWith("upsize", StringComparison.Ordinal) ? weight.transpose(0, 1) : weight).flatten(1).norm(1),
            _ => this[layer + ".bias"],
        };
    }
}
