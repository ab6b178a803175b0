using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>What a checkpoint says of itself: the <c>__metadata__</c> of the safetensors header, read without the tensors.</summary>
/// <param name="Metadata">Among others <c>format</c>, <c>spec</c>, <c>step</c>, <c>run</c>, <c>channels</c>, <c>size</c>, <c>classes</c>,
/// <c>test_bits_per_dim</c> and <c>checksum</c>.</param>
public sealed record CheckpointHeader(IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Far above any real header, far below what could not be held.</summary>
    private const ulong MaxBytes = 100_000_000;

    private const string Prefix = "step-", Suffix = ".safetensors";

    /// <summary>Settings of the run that wrote the checkpoint.</summary>
    public RunSpec Spec => RunSpec.FromJson(Metadata["spec"]);

    /// <exception cref="UserErrorException">The file is missing, unreadable, truncated or no checkpoint of this program.</exception>
    public static CheckpointHeader Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> prefix = stackalloc byte[sizeof(ulong)];
            file.ReadExactly(prefix);
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (length > Math.Min(MaxBytes, (ulong)file.Length))
                throw new InvalidDataException("the header is longer than the file");
            byte[] json = new byte[length];
            file.ReadExactly(json);
            using var document = JsonDocument.Parse(json);
            Dictionary<string, string>? metadata = document.RootElement.GetProperty("__metadata__")
                .Deserialize<Dictionary<string, string>>();
            var header = new CheckpointHeader(metadata ?? throw new InvalidDataException("it has no metadata"));
            _ = header.Spec;
            return header;
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or InvalidDataException or InvalidOperationException or JsonException
                or KeyNotFoundException or ArgumentException)
        {
            throw new UserErrorException($"{path} is not a whole checkpoint of this program ({e.Message.TrimEnd('.')}); name another.", e);
        }
    }

    /// <summary>Name of a checkpoint's file, which says its step.</summary>
    public static string FileName(long step) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D9}{Suffix}");

    /// <summary>
    /// Paths of a folder's checkpoints, those with the most steps in their names first; none where there is no such folder.
    /// </summary>
    public static IReadOnlyList<string> NewestFirst(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, $"{Prefix}*{Suffix}").Where(path => StepOf(path) is not null).OrderByDescending(StepOf)];

    /// <summary>Path of the checkpoint with the most steps in its name, or null when the folder has none.</summary>
    public static string? Newest(string folder) => NewestFirst(folder) is [var newest, ..] ? newest : null;

    /// <summary>Steps in the name of a checkpoint's file; null when it is named otherwise.</summary>
    public static long? StepOf(string path) =>
        long.TryParse(Path.GetFileName(path)[Prefix.Length..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step : null;
}
