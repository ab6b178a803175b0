using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>What a checkpoint says of itself: the <c>__metadata__</c> of the safetensors header, read without the tensors.</summary>
/// <param name="Metadata">Among others <c>format</c>, <c>spec</c>, <c>step</c>, <c>run</c>, <c>channels</c>, <c>size</c>, <c>classes</c>,
/// <c>test_bits_per_dim</c> and <c>checksum</c>.</param>
public sealed record CheckpointHeader(IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The score's name in the metadata.</summary>
    public const string ScoreKey = "test_bits_per_dim";

    /// <summary>Checks the score, which the file's checksum does not cover, because it is added when the file is there.</summary>
    public const string ScoreCheckKey = "test_bits_per_dim_check";

    private static readonly EnumerationOptions WithoutLinks =
        new() { AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };

    private const string Prefix = "step-", Suffix = ".safetensors";

    /// <summary>Settings of the run that wrote the checkpoint.</summary>
    public RunSpec Spec => RunSpec.FromJson(Metadata["spec"]);

    /// <summary>Null where the checkpoint was not scored, or the score was damaged.</summary>
    public double? TestBitsPerDim =>
        Metadata.TryGetValue(ScoreKey, out string? text)
        && (!Metadata.TryGetValue(ScoreCheckKey, out string? check) || check == ScoreCheck(text))
        && double.TryParse(text, CultureInfo.InvariantCulture, out double score) ? score : null;

    /// <summary>
    /// The run had run out of the numbers: its score is not finite, or its last gradients were not. Nobody wants to go on from it.
    /// </summary>
    public bool IsDiverged => (TestBitsPerDim is { } score && !double.IsFinite(score)) || SkippedInARow >= Spec.Limits.MaxSkipped;

    /// <summary>Newest steps of the run whose gradients were not finite. Files of older versions do not say it.</summary>
    public int SkippedInARow =>
        int.TryParse(Metadata.GetValueOrDefault("skipped_in_a_row"), CultureInfo.InvariantCulture, out int skipped) ? skipped : 0;

    /// <summary>What stands beside a score.</summary>
    public static string ScoreCheck(string score) => Convert.ToHexStringLower(XxHash32.Hash(Encoding.ASCII.GetBytes(score)));

    /// <exception cref="UserErrorException">The file is missing, unreadable, truncated or no checkpoint of this program.</exception>
    public static CheckpointHeader Read(string path)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            var header = new CheckpointHeader(SafeTensorsHeader.Read(file).Metadata);
            _ = header.Spec;
            return header;
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or InvalidDataException or JsonException or KeyNotFoundException
                or ArgumentException)
        {
            throw new UserErrorException($"{path} is not a whole checkpoint of this program ({e.Message.TrimEnd('.')}); name another.", e);
        }
    }

    /// <summary>Name of a checkpoint's file, which says its step.</summary>
    public static string FileName(long step) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D9}{Suffix}");

    /// <summary>
    /// Paths of a folder's checkpoints, those with the most steps in their names first; none where there is no such folder. Links are
    /// passed over: they may lead out of it.
    /// </summary>
    public static IReadOnlyList<string> NewestFirst(string folder) => !Directory.Exists(folder)
        ? []
        : [.. Directory.EnumerateFiles(folder, $"{Prefix}*{Suffix}", WithoutLinks).Where(path => StepOf(path) is not null)
            .OrderByDescending(StepOf)];

    /// <summary>
    /// Path of the checkpoint with the most steps in its name that has not diverged, or null when the folder has none.
    /// </summary>
    public static string? Newest(string folder) => NewestFirst(folder).FirstOrDefault(path => !HasDiverged(path));

    /// <summary>Whether a file is a checkpoint that has diverged; one that cannot be read is not known to be.</summary>
    public static bool HasDiverged(string path) => TryRead(path) is { IsDiverged: true };

    /// <summary>As <see cref="Read"/>; null in place of the exception.</summary>
    public static CheckpointHeader? TryRead(string path)
    {
        try
        {
            return Read(path);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    /// <summary>Steps in the name of a checkpoint's file; null when it is named otherwise.</summary>
    public static long? StepOf(string path) =>
        long.TryParse(Path.GetFileName(path)[Prefix.Length..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step : null;
}
