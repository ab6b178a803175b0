using System.Globalization;

namespace PixelCnnCluster.Contracts;

/// <summary>What a checkpoint says of the model in it.</summary>
/// <param name="Path">The checkpoint's file.</param>
/// <param name="Run">Name of the run that wrote it.</param>
/// <param name="Step">Committed steps.</param>
/// <param name="StateHash">Tells this state from every other.</param>
/// <param name="Channels">1 for grey images, 3 for colour.</param>
/// <param name="Size">Side of the images in pixels.</param>
/// <param name="Classes">Classes that the model is conditioned on; 0 for none.</param>
/// <param name="TestBitsPerDim">Null where it was not scored.</param>
[GenerateSerializer, Immutable]
public sealed record ModelInfo(string Path, string Run, long Step, string StateHash, int Channels, int Size, int Classes, RunSpec Spec, double? TestBitsPerDim)
{
    /// <summary>Bytes of one image.</summary>
    public int ImageBytes => Channels * Size * Size;

    /// <summary>False for a network trained by energy distance, which gives samples and no probabilities.</summary>
    public bool HasLikelihood => Spec.Objective != Objective.EnergyDistance;

    /// <exception cref="UserErrorException">The file is missing, unreadable, truncated or no checkpoint of this program.</exception>
    public static ModelInfo Read(string path)
    {
        CheckpointHeader header = CheckpointHeader.Read(path);
        try
        {
            return new(
                path, header.Metadata["run"], Whole("step"), header.Metadata["state_hash"], (int)Whole("channels"), (int)Whole("size"), (int)Whole("classes"), header.Spec,
                header.Metadata.TryGetValue("test_bits_per_dim", out string? score) ? double.Parse(score, CultureInfo.InvariantCulture) : null);
        }
        catch (Exception fault) when (fault is KeyNotFoundException or FormatException or OverflowException)
        {
            throw new UserErrorException($"{path} does not say what its model looks like ({fault.Message.TrimEnd('.')}); name another checkpoint.", fault);
        }

        long Whole(string key) => long.Parse(header.Metadata[key], NumberStyles.None, CultureInfo.InvariantCulture);
    }

    /// <summary>The model at a checkpoint's path, or the newest in a folder.</summary>
    /// <exception cref="UserErrorException">There is none, or it is no checkpoint.</exception>
    public static ModelInfo Find(string place)
    {
        if (File.Exists(place))
            return Read(place);
        return CheckpointHeader.Newest(place) is { } newest ? Read(newest) : throw new UserErrorException(Directory.Exists(place)
            ? $"There is no checkpoint (step-*.safetensors) in {place}; name another file or folder with --model."
            : $"There is no {place}; name a checkpoint's file or a folder that holds some with --model.");
    }
}
