using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests;

/// <summary>Writes the part of a checkpoint that the console reads, of a model of grey 28x28 images.</summary>
internal static class Checkpoints
{
    public static string Write(TempFolder folder, long step, RunSpec spec)
    {
        var metadata = new Dictionary<string, string>
        {
            ["spec"] = spec.ToJson(),
            ["step"] = step.ToString(CultureInfo.InvariantCulture),
            ["run"] = "a-run",
            ["state_hash"] = "hash",
            ["channels"] = "1",
            ["size"] = "28",
            ["classes"] = "0",
        };
        string path = folder.File(string.Create(CultureInfo.InvariantCulture, $"step-{step:000000000}.safetensors"));
        File.WriteAllBytes(
            path, Bytes(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object> { ["__metadata__"] = metadata })));
        return path;
    }

    public static byte[] Bytes(byte[] header, ulong? claimedLength = null)
    {
        byte[] prefix = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, claimedLength ?? (ulong)header.Length);
        return [.. prefix, .. header];
    }
}
