using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Exchange;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.State;
using static TorchSharp.torch;

namespace PixelCnnCluster.Training.Checkpoints;

/// <summary>What a checkpoint says besides the state.</summary>
/// <param name="TestBitsPerDim">Null where it was not scored yet.</param>
/// <param name="Epochs">Trained; null where nobody knows the training set.</param>
/// <param name="Data">What images the run had; null where nobody knows.</param>
public sealed record CheckpointFacts(double? TestBitsPerDim = null, double? Epochs = null, string? Data = null);

/// <summary>
/// A run's whole state as a safetensors file: for each parameter its value, average and both moments, and in the metadata the
/// specification, the step and a checksum.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private const string Format = "pixelcnn-checkpoint-1";
    private const string ChecksumKey = "checksum";

    private const int ScoreCheckLength = 8;

    /// <summary>Steps or images: what a double still counts.</summary>
    private const long MostCounted = 1L << 53;

    /// <summary>As long as any number, so that a score can be written when the file is there.</summary>
    private static readonly string NoScore = new(' ', 24), NoChecksum = new('0', 32);

    private readonly List<(string Name, SafeTensor Tensor)> _tensors;
    private readonly Dictionary<string, string> _metadata;
    private readonly Lazy<string> _stateHash;
    private readonly Action? _free;
    private bool _disposed;

    /// <param name="free">Gives back what the tensors lie in.</param>
    private Checkpoint(
        List<(string Name, SafeTensor Tensor)> tensors, Dictionary<string, string> metadata, Func<string> stateHash, Action? free = null)
    {
        _tensors = tensors;
        _metadata = metadata;
        _stateHash = new(stateHash);
        _free = free;
    }

    public long Step => Whole("step");

    /// <summary>See <see cref="TrainingState.SkippedInARow"/>.</summary>
    public int SkippedInARow => _metadata.ContainsKey("skipped_in_a_row") ? checked((int)Whole("skipped_in_a_row")) : 0;

    /// <summary>What images the run had, see <see cref="Data.ImageData.Fingerprint"/>; null where the file does not say it.</summary>
    public string? DataFingerprint => _metadata.GetValueOrDefault("data");

    /// <summary>Settings of the run that wrote the checkpoint.</summary>
    public RunSpec Spec => new CheckpointHeader(_metadata).Spec;

    /// <summary>See <see cref="CheckpointHeader.IsDiverged"/>.</summary>
    public bool IsDiverged => new CheckpointHeader(_metadata).IsDiverged;

    /// <summary>See <see cref="TrainingState.Images"/>. Files of older versions do not say it, and had batches of one size.</summary>
    public long Images => _metadata.ContainsKey("images") ? Whole("images") : checked(Step * Spec.Optimiser.ImagesPerStep);

    /// <summary>
    /// See <see cref="TrainingState.Hash()"/>. Of a copy it is made when it is first asked for, which need not be while training waits.
    /// </summary>
    public string StateHash => _stateHash.Value;

    /// <summary>Copies the state, so that training may go on while it is written.</summary>
    /// <param name="pool">Vectors [Length] for the copy, until this object is disposed; null for new ones.</param>
    public static Checkpoint Of(
        TrainingState state, NetworkShape shape, string run, RunSpec spec, CheckpointFacts facts, VectorPool? pool = null)
    {
        List<(string Name, SafeTensor Tensor)> tensors = [];
        List<Memory<float>> copies = [];
        pool ??= new((int)state.Layout.Length);
        foreach ((string name, Tensor vector) in state.Vectors)
        {
            Memory<float> copy = pool.Rent();
            vector.CopyTo(copy);
            copies.Add(copy);
            foreach (Slot slot in state.Layout.Slots)
                tensors.Add(
                    ($"{name}/{slot.Name}", new("F32", slot.Shape, new FloatBytes(copy.Slice((int)slot.Offset, (int)slot.Length)).Memory)));
        }

        HostBytes.Finish(state.Values.device);
        Dictionary<string, string> metadata = new()
        {
            ["format"] = Format,
            ["run"] = run,
            ["step"] = state.Step.ToString(CultureInfo.InvariantCulture),
            ["images"] = state.Images.ToString(CultureInfo.InvariantCulture),
            ["skipped_in_a_row"] = state.SkippedInARow.ToString(CultureInfo.InvariantCulture),
            ["spec"] = spec.ToJson(),
            ["channels"] = shape.Channels.ToString(CultureInfo.InvariantCulture),
            ["size"] = shape.Size.ToString(CultureInfo.InvariantCulture),
            ["classes"] = shape.Classes.ToString(CultureInfo.InvariantCulture),
            [CheckpointHeader.ScoreKey] = Text(facts.TestBitsPerDim),
            [CheckpointHeader.ScoreCheckKey] = CheckpointHeader.ScoreCheck(Text(facts.TestBitsPerDim)),
            [ChecksumKey] = NoChecksum,
        };
        if (facts.Epochs is { } trained)
            metadata["epochs"] = trained.ToString("R", CultureInfo.InvariantCulture);
        if (facts.Data is { } data)
            metadata["data"] = data;
        (long step, int skippedInARow) = (state.Step, state.SkippedInARow);
        return new(
            tensors, metadata,
            () => TrainingState.Hash(step, skippedInARow, hash => copies.ForEach(copy => hash.Append(MemoryMarshal.AsBytes(copy.Span)))),
            free: () => copies.ForEach(pool.Return));
    }

    /// <summary>Writes the file whole or not at all.</summary>
    /// <returns>Its size in bytes.</returns>
    /// <exception cref="IOException">The disk refused; what was at <paramref name="path"/> before is there still.</exception>
    public long Write(string path)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        byte[] header = SafeTensors.Header(_tensors, new Dictionary<string, string>(_metadata) { ["state_hash"] = StateHash });
        string checksum = Checksum(header, hash => _tensors.ForEach(entry => hash.Append(entry.Tensor.Data.Span)));
        Encoding.ASCII.GetBytes(checksum).CopyTo(header, Position(header, ChecksumKey)!.Value);
        return WholeFile.Write(path, file => SafeTensors.Write(file, header, _tensors));
    }

    /// <summary>Adds the test score of a checkpoint that is there already. The checksum does not cover it.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void AddScore(string path, double testBitsPerDim)
    {
        RealPath.RefuseLink(path);
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        byte[] header = SafeTensorsHeader.Read(file).Bytes;
        int check = Position(header, CheckpointHeader.ScoreCheckKey) ?? throw new InvalidDataException($"{path} has no room for a score");
        string score = Text(testBitsPerDim);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(score), Position(header, CheckpointHeader.ScoreKey)!.Value);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(CheckpointHeader.ScoreCheck(score)), check);
        RandomAccess.FlushToDisk(file);
    }

    /// <exception cref="UserErrorException">The file is missing, damaged or no checkpoint.</exception>
    public static Checkpoint Read(string path)
    {
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            (IReadOnlyDictionary<string, SafeTensor> tensors, SafeTensorsHeader header) = SafeTensors.Open(file);
            if (header.Metadata.GetValueOrDefault("format") != Format)
                throw new InvalidDataException($"it is not of format {Format}");
            int position = Position(header.Bytes, ChecksumKey) ?? throw new InvalidDataException("it has no checksum");
            string stored = Encoding.ASCII.GetString(header.Bytes, position, NoChecksum.Length);
            if (Checksum(header.Bytes, hash => AppendData(hash, file, header.Bytes.Length)) != stored)
                throw new InvalidDataException("its checksum does not fit its content");
            var checkpoint = new Checkpoint(
                [.. tensors.Select(pair => (pair.Key, pair.Value))], new(header.Metadata), () => header.Metadata["state_hash"],
                free: file.Dispose);
            checkpoint.CheckMetadata();
            return checkpoint;
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw new UserErrorException(
                $"{path} cannot be used: {fault.Message.TrimEnd('.')}; take an earlier checkpoint from the same folder.", fault);
        }
    }

    /// <summary>
    /// Fills a state with what the checkpoint holds. A non-local block that the checkpoint lacks keeps its fresh start, an identity.
    /// </summary>
    /// <exception cref="UserErrorException">The checkpoint is of another network.</exception>
    public void Fill(TrainingState state, string path)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Fill(Fitting(
            _tensors, state.Vectors.Select(vector => vector.Name), state.Layout, path,
            "use the flags and the data set it was trained with, or give --load-params alone to take its own"), state.Vectors);
        state.StartAt(Step, SkippedInARow, Images);
    }

    /// <summary>
    /// A model's Polyak average, a flat vector [Length]. It is made when the file is known to hold so much, whatever the description says.
    /// </summary>
    /// <param name="device">Where it is to be; null for the CPU.</param>
    /// <exception cref="UserErrorException">The checkpoint is damaged, is another than the one described, or is of another network than
    /// its settings say.</exception>
    public static Tensor ReadAverage(ModelInfo model, ParameterLayout layout, Device? device = null)
    {
        using Checkpoint checkpoint = Read(model.Path);
        if (checkpoint.StateHash != model.StateHash)
            throw new UserErrorException($"{model.Path} was overwritten while it was in use; start again with what it is now.");
        List<(string, Slot, SafeTensor)> parts = Fitting(
            checkpoint._tensors.Where(entry => entry.Name.StartsWith(TrainingState.AverageName + "/", StringComparison.Ordinal)),
            [TrainingState.AverageName], layout, model.Path, "its settings do not fit its weights, so name another with --model");
        Tensor average = zeros(layout.Length, device: device).DetachFromDisposeScope();
        try
        {
            Fill(parts, [(TrainingState.AverageName, average)]);
            return average;
        }
        catch
        {
            average.Dispose();
            throw;
        }
    }

    /// <summary>The tensors of some vectors and where in these they belong.</summary>
    /// <exception cref="UserErrorException">They are of another network.</exception>
    private static List<(string Vector, Slot Slot, SafeTensor Tensor)> Fitting(
        IEnumerable<(string Name, SafeTensor Tensor)> from, IEnumerable<string> vectors, ParameterLayout layout, string path, string remedy)
    {
        List<(string, Slot, SafeTensor)> parts = [];
        var stored = from.ToDictionary(entry => entry.Name, entry => entry.Tensor);
        List<string> wrong = [];
        foreach (string name in vectors)
        {
            foreach (Slot slot in layout.Slots)
            {
                if (!stored.Remove($"{name}/{slot.Name}", out SafeTensor? tensor))
                {
                    if (!slot.Name.StartsWith("non_local.", StringComparison.Ordinal))
                        wrong.Add($"{slot.Name} is missing");
                }
                else if (tensor.Type != "F32" || !tensor.Shape.SequenceEqual(slot.Shape))
                {
                    wrong.Add(
                        $"{slot.Name} is {tensor.Type} [{string.Join(", ", tensor.Shape)}] in place of F32 " +
                        $"[{string.Join(", ", slot.Shape)}]");
                }
                else
                {
                    parts.Add((name, slot, tensor));
                }
            }
        }

        wrong.AddRange(stored.Keys.Select(name => $"{name} is not in this network"));
        if (wrong.Count > 0)
        {
            throw new UserErrorException(
                $"{path} is of another network ({wrong[0]}{(wrong.Count > 1 ? $", and {wrong.Count - 1} more" : "")}); {remedy}.");
        }

        return parts;
    }

    private static void Fill(
        IEnumerable<(string Vector, Slot Slot, SafeTensor Tensor)> parts, IEnumerable<(string Name, Tensor Vector)> vectors)
    {
        var byName = vectors.ToDictionary();
        foreach ((string vector, Slot slot, SafeTensor tensor) in parts)
        {
            using Tensor view = byName[vector].narrow(0, slot.Offset, slot.Length);
            HostBytes.Write(view, MemoryMarshal.Cast<byte, float>(tensor.Data.Span));
        }
    }

    /// <summary>Gives the copy's vectors back; what is here cannot be read or written any more.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _free?.Invoke();
    }

    /// <summary>Over the header, with nothing for the checksum itself and the score, and the data.</summary>
    private static string Checksum(byte[] header, Action<XxHash128> appendData)
    {
        byte[] bare = [.. header];
        Encoding.ASCII.GetBytes(NoChecksum).CopyTo(bare, Position(bare, ChecksumKey)!.Value);
        // Older files have neither a check nor a score of a fixed length.
        if (Position(bare, CheckpointHeader.ScoreCheckKey) is { } check && Position(bare, CheckpointHeader.ScoreKey) is { } score)
        {
            bare.AsSpan(score, NoScore.Length).Clear();
            bare.AsSpan(check, ScoreCheckLength).Clear();
        }

        var hash = new XxHash128();
        hash.Append(bare);
        appendData(hash);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static void AppendData(XxHash128 hash, SafeFileHandle file, long offset)
    {
        byte[] buffer = new byte[1 << 20];
        while (RandomAccess.Read(file, buffer, offset) is > 0 and var read)
        {
            hash.Append(buffer.AsSpan(0, read));
            offset += read;
        }
    }

    /// <exception cref="InvalidDataException">The metadata lack what a state needs besides its tensors.</exception>
    private void CheckMetadata()
    {
        try
        {
            _ = (Step, SkippedInARow, Images, StateHash, Spec);
        }
        catch (Exception fault) when (fault is KeyNotFoundException or FormatException or OverflowException or JsonException)
        {
            throw new InvalidDataException($"its metadata are garbled ({fault.Message.TrimEnd('.')})", fault);
        }
    }

    /// <exception cref="OverflowException">It is more than any run comes to.</exception>
    private long Whole(string key) =>
        long.Parse(_metadata[key], NumberStyles.None, CultureInfo.InvariantCulture) is <= MostCounted and var whole ? whole
        : throw new OverflowException($"{key} is {_metadata[key]}");

    private static string Text(double? score) =>
        score is { } told ? told.ToString("R", CultureInfo.InvariantCulture).PadRight(NoScore.Length) : NoScore;

    /// <summary>Where a text of the metadata begins; null if there is none of that name.</summary>
    private static int? Position(byte[] header, string key)
    {
        byte[] sought = Encoding.ASCII.GetBytes($"\"{key}\":\"");
        int position = header.AsSpan().LastIndexOf(sought), end = position + sought.Length;
        return position < 0 || end + NoChecksum.Length > header.Length ? null : end;
    }
}
