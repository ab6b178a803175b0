using System.IO.Hashing;
using System.Text;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Training.State;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Training.Checkpoints;

/// <summary>A checkpoint is whole or absent, and gives the state back to the bit.</summary>
public sealed class CheckpointTests : IClassFixture<CheckpointTests.Trained>, IDisposable
{
    private static readonly RunSpec Spec = TinyRun.Small with { Model = TinyRun.Small.Model with { Filters = 2, Mixtures = 1 } };

    private readonly TinyRun _run;
    private readonly TempFolder _folder = new();

    public CheckpointTests(Trained trained) => _run = trained.Run;

    private string File1 => Path.Combine(_folder.Path, "one.safetensors");

    [Fact]
    public void A_copy_whose_vectors_went_back_is_not_written()
    {
        Checkpoint copy = _run.Checkpoint();
        copy.Dispose();
        Assert.Throws<ObjectDisposedException>(() => copy.Write(File1));
    }

    [Fact]
    public void A_round_trip_gives_the_same_state()
    {
        using var other = TinyRun.Start(Spec with { Optimiser = Spec.Optimiser with { Seed = 2 } });
        Assert.NotEqual(_run.Hash, other.Hash);
        long bytes = _run.Checkpoint(3.25).Write(File1);
        Assert.Equal(new FileInfo(File1).Length, bytes);
        using var read = Checkpoint.Read(File1);
        other.On(() => read.Fill(other.Replica.State, File1));
        Assert.Equal(
            (_run.Hash, _run.Hash, Trained.Steps, Trained.Steps), (other.Hash, read.StateHash, read.Step, other.Replica.State.Step));
        var header = CheckpointHeader.Read(File1);
        Assert.Equal(
            (3.25, $"{Trained.Steps}", "run", Spec),
            (header.TestBitsPerDim, header.Metadata["step"], header.Metadata["run"], header.Spec));
        ReplicaFacts facts = _run.Replica.Facts;
        Assert.Equal(
            new ModelInfo
            {
                Path = File1,
                Run = "run",
                Step = Trained.Steps,
                StateHash = _run.Hash,
                Channels = facts.Channels,
                Size = facts.Size,
                Spec = Spec,
                TestBitsPerDim = 3.25,
            },
            ModelFiles.Read(File1));
        Assert.Equal([File1], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void The_copy_does_not_change_while_training_goes_on()
    {
        string hash = _run.Hash;
        Checkpoint copy = _run.Checkpoint();
        _run.Steps(1);
        Assert.NotEqual(hash, _run.Hash);
        copy.Write(File1);
        _run.On(() =>
        {
            using var stored = Checkpoint.Read(File1);
            stored.Fill(_run.Replica.State, File1);
        });
        Assert.Equal(hash, _run.Hash);
    }

    [Fact]
    public void A_single_flipped_bit_is_refused_with_the_files_name()
    {
        byte[] valid = Written();
        int header = 8 + (int)BitConverter.ToInt64(valid);
        int score = valid.AsSpan().IndexOf("\"test_bits_per_dim\":"u8);
        var random = new Random(1);
        int[] positions = [0, 1, 3, 7, 8, header - 1, header, valid.Length - 1, .. Few(200, 8, header), .. Few(100, header, valid.Length)];
        foreach (int position in positions)
        {
            byte[] damaged = [.. valid];
            damaged[position] ^= (byte)(1 << random.Next(8));
            // A damaged score counts as none.
            if (position < score || position > score + 100)
                AssertRefused(damaged);
        }

        // Every bit of the checksum and of its name.
        int checksum = valid.AsSpan().IndexOf("\"checksum\":"u8);
        for (int bit = 0; bit < 45 * 8; bit++)
        {
            byte[] damaged = [.. valid];
            damaged[checksum + (bit / 8)] ^= (byte)(1 << (bit % 8));
            AssertRefused(damaged);
        }

        IEnumerable<int> Few(int count, int first, int end) => Enumerable.Range(0, count).Select(_ => random.Next(first, end));
    }

    [Fact]
    public void A_score_is_added_to_a_file_that_is_there()
    {
        Written();
        Assert.Null(CheckpointHeader.Read(File1).TestBitsPerDim);

        Checkpoint.AddScore(File1, 1.9911506317654797);
        Assert.Equal(1.9911506317654797, CheckpointHeader.Read(File1).TestBitsPerDim);
        Checkpoint.AddScore(File1, -double.Epsilon);
        Assert.Equal(-double.Epsilon, CheckpointHeader.Read(File1).TestBitsPerDim);
        using (var stored = Checkpoint.Read(File1))
            Assert.Equal(_run.Hash, stored.StateHash);
        Checkpoint.AddScore(File1, double.NaN);
        Assert.Equal(double.NaN, CheckpointHeader.Read(File1).TestBitsPerDim);
    }

    [Fact]
    public void A_damaged_score_counts_as_none()
    {
        Written();
        Checkpoint.AddScore(File1, 2.5);
        byte[] valid = File.ReadAllBytes(File1);
        int score = valid.AsSpan().IndexOf("2.5 "u8);

        valid[score] = (byte)'1';
        File.WriteAllBytes(File1, valid);

        Assert.Null(CheckpointHeader.Read(File1).TestBitsPerDim);
    }

    /// <summary>Sparse: only its header takes room on the disk.</summary>
    [Fact]
    public void A_checkpoint_of_three_gigabytes_is_read_with_flat_memory()
    {
        const int Tensors = 48;
        const long Each = 1 << 26, Floats = Each / sizeof(float);
        byte[] header = SafeTensors.Header(
            Enumerable.Range(0, Tensors).Select(
                i => ($"value/t{i}", new SafeTensor("F32", [Floats], () => throw new NotSupportedException()))),
            new Dictionary<string, string>
            {
                ["format"] = "pixelcnn-checkpoint-1",
                ["step"] = "7",
                ["spec"] = "{}",
                ["state_hash"] = "hash",
                ["checksum"] = new('0', 32),
            });
        var hash = new XxHash128();
        hash.Append(header);
        byte[] zeros = new byte[1 << 20];
        for (long done = 0; done < Tensors * Each; done += zeros.Length)
            hash.Append(zeros);
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(hash.GetCurrentHash()))
            .CopyTo(header, header.AsSpan().IndexOf("\"checksum\":\""u8) + "\"checksum\":\"".Length);
        using (FileStream file = File.Create(File1))
        {
            file.Write(header);
            file.SetLength(header.Length + (Tensors * Each));
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        using var read = Checkpoint.Read(File1);
        Assert.Equal((7, "hash"), (read.Step, read.StateHash));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 24);
    }

    [Fact]
    public void A_file_that_is_cut_or_grown_is_refused()
    {
        byte[] valid = Written();
        int header = 8 + (int)BitConverter.ToInt64(valid);
        foreach (int length in new[] { 0, 1, 7, 8, 9, header - 1, header, header
            + 1, valid.Length / 2, valid.Length - 4, valid.Length - 1 })
            AssertRefused(valid[..length]);
        AssertRefused([.. valid, 0]);
        AssertRefused([.. valid, .. valid]);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_refused_with_the_name()
    {
        foreach (string path in new[] { File1, _folder.Path, Path.Combine(_folder.Path, "none", "one.safetensors") })
            Assert.Contains(path, Assert.Throws<UserErrorException>(() => Checkpoint.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_networks_file_is_refused_with_what_differs()
    {
        Written();
        using var stored = Checkpoint.Read(File1);
        (RunSpec Spec, string[] Parts)[] others =
        [
            (Spec with { Model = Spec.Model with { Filters = 4 } }, ["u_init.v", "[2, 2, 2, 3]", "[4, 2, 2, 3]", "more"]),
            (Spec with { Model = Spec.Model with { Blocks = 2 } }, ["is missing"]),
            (Spec with { Model = Spec.Model with { Mixtures = 2 } }, ["out.v", "more"]),
            (Spec with { Model = Spec.Model with { ClassConditional = true } }, ["class.w is missing"]),
        ];
        foreach ((RunSpec spec, string[] parts) in others)
        {
            using TrainingState state = new(new PixelCnn(ShapeOf(spec)).Layout, spec);
            string message = Assert.Throws<UserErrorException>(() => stored.Fill(state, File1)).Message;
            Assert.All([.. parts, File1], part => Assert.Contains(part, message, StringComparison.Ordinal));
        }

        RunSpec conditional = Spec with { Model = Spec.Model with { ClassConditional = true } };
        using TrainingState wider = new(new PixelCnn(ShapeOf(conditional)).Layout, conditional);
        Checkpoint.Of(wider, ShapeOf(conditional), "run", conditional, new()).Write(File1);
        using TrainingState plain = new(new PixelCnn(ShapeOf(Spec)).Layout, Spec);
        string found = Assert.Throws<UserErrorException>(() => Checkpoint.Read(File1).Fill(plain, File1)).Message;
        Assert.Contains("is not in this network", found, StringComparison.Ordinal);

        static NetworkShape ShapeOf(RunSpec spec) => NetworkShape.From(spec, channels: 1, size: 8, classes: 2);
    }

    [Fact]
    public void A_checkpoint_without_the_non_local_block_loads_into_a_network_with_one_and_scores_the_same()
    {
        _run.Checkpoint().Write(File1);
        using var grown = TinyRun.Start(Spec with { Model = Spec.Model with { NonLocal = true } });
        grown.On(() => Checkpoint.Read(File1).Fill(grown.Replica.State, File1));
        int batches = ((_run.Replica.Facts.TestImages + Spec.Optimiser.BatchSize - 1) / Spec.Optimiser.BatchSize);
        Assert.Equal(_run.On(() => _run.Replica.Evaluate(0, batches)), grown.On(() => grown.Replica.Evaluate(0, batches)));
        Assert.Equal(Trained.Steps, grown.Replica.State.Step);
        Assert.All(grown.Steps(2), loss => Assert.True(double.IsFinite(loss)));
    }

    [Fact]
    public void A_target_that_vanished_or_is_taken_leaves_nothing_beside()
    {
        Checkpoint checkpoint = _run.Checkpoint();
        Assert.ThrowsAny<IOException>(() => checkpoint.Write(Path.Combine(_folder.Path, "gone", "one.safetensors")));
        Directory.CreateDirectory(File1);
        Assert.ThrowsAny<IOException>(() => checkpoint.Write(File1));
        Assert.Equal([File1], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void A_score_that_is_not_finite_never_wins_and_is_never_the_newest(double diverged)
    {
        double?[] scores = [2.5, 3, diverged, diverged];
        string[] paths = [.. scores.Select((score, i) =>
        {
            string path = Path.Combine(_folder.Path, CheckpointHeader.FileName(i));
            _run.Checkpoint(score).Write(path);
            return path;
        })];
        Assert.Equal(paths[1], CheckpointHeader.Newest(_folder.Path));
        Assert.Equal(paths[0], CheckpointFolder.BestOf(paths.Select(path => (path, CheckpointHeader.TryRead(path)))));

        CheckpointFolder.Prune(_folder.Path, 1, step: 3);

        // The newest good one, the best, and the newest that has diverged.
        Assert.Equal([paths[0], paths[1], paths[3]], Directory.GetFiles(_folder.Path).Order());
    }

    /// <summary>A run that diverges between two scores saves ruined states, of which the last alone is known as such.</summary>
    [Fact]
    public void After_a_divergence_one_goes_on_from_the_newest_that_was_scored()
    {
        string[] paths = [.. Enumerable.Range(0, 4).Select(i => Path.Combine(_folder.Path, CheckpointHeader.FileName(i)))];
        _run.Checkpoint(2.5).Write(paths[0]);
        _run.Checkpoint(3).Write(paths[1]);
        _run.Checkpoint().Write(paths[2]);
        _run.Checkpoint(double.NaN).Write(paths[3]);
        Assert.Equal(paths[1], CheckpointFolder.NewestSound(_folder.Path));

        File.Delete(paths[0]);
        File.Delete(paths[1]);
        Assert.Equal(paths[2], CheckpointFolder.NewestSound(_folder.Path));

        File.Delete(paths[2]);
        Assert.Null(CheckpointFolder.NewestSound(_folder.Path));
    }

    [Fact]
    public void Pruning_keeps_the_newest_and_the_best()
    {
        double?[] scores = [3.5, null, 2.5, 3, 2.75, null, 3.25];
        for (int i = 0; i < scores.Length; i++)
            _run.Checkpoint(scores[i]).Write(Path.Combine(_folder.Path, CheckpointHeader.FileName(i)));
        File.WriteAllText(Path.Combine(_folder.Path, "notes.txt"), "");
        CheckpointFolder.Prune(_folder.Path, 3, step: 6);
        Assert.Equal([2, 4, 5, 6], Steps());
        CheckpointFolder.Prune(_folder.Path, 1, step: 6);
        Assert.Equal([2, 6], Steps());
        Assert.Equal(Path.Combine(_folder.Path, CheckpointHeader.FileName(6)), CheckpointHeader.Newest(_folder.Path));
        Assert.True(File.Exists(Path.Combine(_folder.Path, "notes.txt")));

        IEnumerable<int> Steps() =>
            Enumerable.Range(0, scores.Length).Where(i => File.Exists(Path.Combine(_folder.Path, CheckpointHeader.FileName(i))));
    }

    [Fact]
    public void Nothing_is_written_where_the_volume_of_the_folder_is_not_mounted()
    {
        string mounted = Path.Combine(_folder.Path, "mounted"), missing = Path.Combine(_folder.Path, "missing"), mountPoint = _folder.Path;
        RunFolder.Make(mounted);

        foreach (string empty in new[] { missing, mountPoint })
        {
            using var other = TinyRun.Start(TinyRun.Small with { Output = TinyRun.Small.Output with { SaveDir = empty } });
            Func<CheckpointResponse> write = other.On(() => other.Replica.Snapshot("run", null));
            Assert.Contains("mounted", Assert.ThrowsAny<IOException>(write).Message, StringComparison.Ordinal);
            Assert.ThrowsAny<IOException>(() => new HistoryFile(empty).Append([new(0, new WorkersAwaited(0))]));
        }

        Assert.Equal([mounted], Directory.GetFileSystemEntries(_folder.Path));
        using var there = TinyRun.Start(TinyRun.Small with { Output = TinyRun.Small.Output with { SaveDir = mounted } });
        Assert.True(File.Exists(there.On(() => there.Replica.Snapshot("run", null))().Path));
        new HistoryFile(mounted).Append([new(0, new WorkersAwaited(0))]);
        // A checkpoint marks the folder as well, as where somebody has put the checkpoints alone into a new one.
        File.Delete(Path.Combine(mounted, HistoryFile.Name));
        new HistoryFile(mounted).Append([new(1, new WorkersAwaited(0))]);
    }

    /// <summary>As when a volume that was away comes back under a run that has gone on from an older state.</summary>
    [Fact]
    public void Pruning_spares_the_checkpoint_that_was_written_last_and_those_of_later_steps()
    {
        foreach (int i in new[] { 1, 2, 3, 8, 9 })
            _run.Checkpoint().Write(Path.Combine(_folder.Path, CheckpointHeader.FileName(i)));

        CheckpointFolder.Prune(_folder.Path, 1, step: 3);

        Assert.Equal([9L, 8, 3], CheckpointHeader.NewestFirst(_folder.Path).Select(CheckpointHeader.StepOf));
    }

    [Fact]
    public void Pruning_spares_what_is_held_as_long_as_somebody_holds_on()
    {
        string[] paths = [.. Enumerable.Range(0, 3).Select(i => Path.Combine(_folder.Path, CheckpointHeader.FileName(i)))];
        foreach ((int i, string path) in paths.Index())
            _run.Checkpoint(3 - i).Write(path);
        CheckpointFolder.Hold(paths[0]);
        CheckpointFolder.HoldOn(paths[1]);
        CheckpointFolder.Prune(_folder.Path, 1, step: 2);
        Assert.Equal([paths[0], paths[2]], CheckpointHeader.NewestFirst(_folder.Path).Reverse());

        File.SetLastWriteTimeUtc(Held(), DateTime.UtcNow.AddHours(-1));
        CheckpointFolder.HoldOn(paths[0]);
        CheckpointFolder.Prune(_folder.Path, 1, step: 2);
        Assert.Equal([paths[0], paths[2]], CheckpointHeader.NewestFirst(_folder.Path).Reverse());

        File.SetLastWriteTimeUtc(Held(), DateTime.UtcNow.AddHours(-1));
        CheckpointFolder.Prune(_folder.Path, 1, step: 2);
        Assert.Equal([paths[2]], Directory.GetFiles(_folder.Path));

        string Held() => Directory.GetFiles(_folder.Path).Except(paths).Single();
    }

    public void Dispose() => _folder.Dispose();

    private byte[] Written()
    {
        _run.Checkpoint().Write(File1);
        return File.ReadAllBytes(File1);
    }

    private void AssertRefused(byte[] content)
    {
        File.WriteAllBytes(File1, content);
        string message = Assert.Throws<UserErrorException>(() => Checkpoint.Read(File1)).Message;
        Assert.Contains(File1, message, StringComparison.Ordinal);
    }

    /// <summary>Some steps of a run, for all tests.</summary>
    public sealed class Trained : IDisposable
    {
        internal const long Steps = 2;

        public Trained() => Run.Steps((int)Steps);

        internal TinyRun Run { get; } = TinyRun.Start(Spec);

        public void Dispose() => Run.Dispose();
    }
}
