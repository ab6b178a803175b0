using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Layers;

namespace PixelCnnCluster.Training.Weights;

/// <summary>
/// What a safetensors file of weights says besides: all of the network that the tensors cannot tell, and the settings it was trained with.
/// </summary>
internal static class WeightMetadata
{
    private const string Format = "pixelcnn-weights-1";

    /// <remarks>Without the places that mean something on one machine alone.</remarks>
    public static Dictionary<string, string> Of(ModelInfo model) => new()
    {
        ["format"] = Format,
        ["spec"] = (model.Spec with { Output = model.Spec.Output with { SaveDir = "", LoadParams = null } }).ToJson(),
        ["channels"] = model.Channels.ToString(CultureInfo.InvariantCulture),
        ["size"] = model.Size.ToString(CultureInfo.InvariantCulture),
        ["classes"] = model.Classes.ToString(CultureInfo.InvariantCulture),
        ["step"] = model.Step.ToString(CultureInfo.InvariantCulture),
    };

    /// <returns>Null where the file was written by another program.</returns>
    /// <exception cref="WeightFileException">The metadata contradict themselves, or the file is a checkpoint.</exception>
    public static (NetworkShape Shape, RunSpec Spec)? Read(IReadOnlyDictionary<string, string> metadata)
    {
        string format = metadata.GetValueOrDefault("format", "");
        if (format.StartsWith("pixelcnn-checkpoint-", StringComparison.Ordinal))
            throw new WeightFileException("is a checkpoint and needs no import; give it to --load-params");
        if (format != Format)
            return null;
        try
        {
            var spec = RunSpec.FromJson(metadata["spec"]);
            (int channels, int size, int classes) = (Whole("channels"), Whole("size"), Whole("classes"));
            return ModelValidation.Mistakes(spec, channels, size, classes) is [var mistake, ..]
                ? throw new WeightFileException($"describes no network that there can be ({mistake.TrimEnd('.')}); export it again")
                : (NetworkShape.From(spec, channels, size, classes), spec);
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or FormatException or OverflowException)
        {
            throw new WeightFileException($"has garbled metadata ({fault.Message.Split(". ")[0].TrimEnd('.')}); export it again");
        }

        int Whole(string key) => int.Parse(metadata[key], NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
