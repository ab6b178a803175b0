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
    public static (NetworkShape Shape, RunSpec Spec)? Read(IReadOnlyDictionary<string, string> metadata, int tensors)
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
            // The network is built to see whether the tensors fit, so it must not be out of all proportion to them.
            return channels is 1 or 3 && size is >= 8 and <= 64 && size % 4 == 0 && spec.Model.ClassConditional == classes > 0
                && spec.Model.Blocks <= tensors
                ? (NetworkShape.From(spec, channels, size, classes), spec)
                : throw new FormatException(
                    $"{channels} channels, {size} pixels, {classes} classes and {spec.Model.Blocks} blocks are no network");
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or FormatException or OverflowException)
        {
            throw new WeightFileException($"has garbled metadata ({fault.Message.Split(". ")[0].TrimEnd('.')}); export it again");
        }

        int Whole(string key) => int.Parse(metadata[key], NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
