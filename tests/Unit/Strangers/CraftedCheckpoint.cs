using System.IO.Hashing;
using System.Text;
using PixelCnnCluster.Training.Checkpoints;

namespace PixelCnnCluster.Unit.Tests.Strangers;

/// <summary>A checkpoint as somebody writes it who knows the format: its checksum is right, whatever it says.</summary>
internal static class CraftedCheckpoint
{
    public static Dictionary<string, string> Metadata(string spec = "{}") => new()
    {
        ["format"] = "pixelcnn-checkpoint-1",
        ["run"] = "run",
        ["step"] = "1",
        ["images"] = "8",
        ["spec"] = spec,
        ["channels"] = "1",
        ["size"] = "28",
        ["classes"] = "0",
        ["state_hash"] = "hash",
    };

    /// <returns>The path.</returns>
    public static string Write(string path, Dictionary<string, string> metadata, params (string Name, SafeTensor Tensor)[] tensors)
    {
        byte[] header = SafeTensors.Header(tensors, new Dictionary<string, string>(metadata) { ["checksum"] = new('0', 32) });
        var hash = new XxHash128();
        hash.Append(header);
        foreach ((_, SafeTensor tensor) in tensors)
            hash.Append(tensor.Data.Span);
        byte[] name = "\"checksum\":\""u8.ToArray();
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(hash.GetCurrentHash()))
            .CopyTo(header, header.AsSpan().LastIndexOf(name) + name.Length);
        using FileStream file = File.Create(path);
        SafeTensors.Write(file, header, tensors);
        return path;
    }
}
