using System.Numerics.Tensors;
using PixelCnnCluster.Training.Checkpoints;

namespace PixelCnnCluster.Training.Weights;

/// <summary>Whether tensors are those of a network.</summary>
internal static class TensorCheck
{
    /// <exception cref="WeightFileException">Lists what is missing, extra, misshapen or of another type than floating point.</exception>
    public static void Fit(IEnumerable<(string Name, long[] Shape)> expected, IReadOnlyDictionary<string, SafeTensor> tensors)
    {
        var rest = tensors.ToDictionary();
        List<string> missing = [], misshapen = [], whole = [];
        foreach ((string name, long[] shape) in expected)
        {
            if (!rest.Remove(name, out SafeTensor? tensor))
                missing.Add(name);
            else if (!tensor.Shape.SequenceEqual(shape))
                misshapen.Add($"{name} {Sides(tensor.Shape)} in place of {Sides(shape)}");
            else if (!tensor.IsFloatingPoint)
                whole.Add($"{name} ({tensor.Type})");
        }

        (string Kind, IReadOnlyCollection<string> Names)[] faults =
            [("missing", missing), ("extra", rest.Keys), ("misshapen", misshapen), ("not floating-point", whole)];
        if (faults.Where(fault => fault.Names.Count > 0).Select(fault => $"{fault.Kind}: {WeightFileException.List(fault.Names)}")
            .ToArray() is [_, ..] found)
            throw new WeightFileException(
                $"does not hold the weights of one whole network ({string.Join("; ", found)}); give a file with all tensors of a " +
                $"PixelCNN++ and no others");

        static string Sides(long[] shape) => $"[{string.Join(", ", shape)}]";
    }

    /// <summary>Layers whose effective weights or biases are not all finite.</summary>
    public static IReadOnlyList<string> NotFinite(IEnumerable<Layer> layers, float[] parameters)
    {
        var plain = new PlainFormat();
        return [.. layers.Where(layer => !plain.Write(layer, parameters).All(values => TensorPrimitives.IsFiniteAll<float>(values)))
            .Select(layer => layer.Name)];
    }
}
