using System.Globalization;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>Models as checkpoints on disk.</summary>
public static class ModelFiles
{
    /// <exception cref="UserErrorException">The file is missing, unreadable, truncated or no checkpoint of this program, or describes a
    /// model that there cannot be.</exception>
    public static ModelInfo Read(string path)
    {
        var header = CheckpointHeader.Read(path);
        try
        {
            var model = new ModelInfo
            {
                Path = path,
                Run = header.Metadata["run"],
                Step = Whole("step"),
                StateHash = header.Metadata["state_hash"],
                Channels = Side("channels"),
                Size = Side("size"),
                Classes = Side("classes"),
                Spec = header.Spec,
                TestBitsPerDim = header.TestBitsPerDim,
                IsDiverged = header.IsDiverged,
            };
            model.Check();
            return model;
        }
        catch (Exception fault) when (fault is KeyNotFoundException or FormatException or OverflowException)
        {
            throw new UserErrorException(
                $"{path} does not say what its model looks like ({fault.Message.TrimEnd('.')}); name another checkpoint.", fault);
        }

        int Side(string key) => checked((int)Whole(key));

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
