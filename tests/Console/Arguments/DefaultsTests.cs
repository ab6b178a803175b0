using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class DefaultsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_named_data_set_brings_the_published_programs_defaults()
    {
        RunSpec spec = Reading.Good("--data-set", "cifar").Spec;

        var published = new RunSpec
        {
            DataSet = DataSet.Cifar,
            SaveInterval = 20,
            Blocks = 5,
            Filters = 160,
            Mixtures = 10,
            Nonlinearity = Nonlinearity.ConcatElu,
            ClassConditional = false,
            Objective = Objective.Likelihood,
            LearningRate = 0.001,
            LearningRateDecay = 0.999995,
            BatchSize = 16,
            InitBatchSize = 16,
            Dropout = 0.5,
            MaxEpochs = 5000,
            Shards = 8,
            PolyakDecay = 0.9995,
            Seed = 1,
            CoordinateChannels = false,
            NonLocal = false,
            FocalGamma = 2,
            MaxSteps = null,
            MaxMinutes = null,
        };
        Assert.Equal(published with { DataDir = spec.DataDir, SaveDir = spec.SaveDir, Workers = 4 }, spec);
    }

    [Fact]
    public void Nothing_asked_for_is_the_quick_preset()
    {
        RunSpec spec = Reading.Good().Spec;

        Assert.Equal(Presets.Quick with { DataDir = spec.DataDir, SaveDir = spec.SaveDir, Workers = 4 }, spec);
        Assert.Equal(Path.GetFullPath("runs/20260102-030405-digits"), spec.SaveDir);
        Assert.Equal(Path.GetFullPath("data"), spec.DataDir);
    }

    /// <summary>Otherwise every later change would be accepted without a word.</summary>
    [Fact]
    public void Consent_to_changed_data_is_not_inherited()
    {
        using var folder = new TempFolder();
        Checkpoints.Write(folder, 3, Presets.Quick with { AcceptDataChange = true });

        Assert.False(Reading.Good("--load-params", folder.Path).Spec.AcceptDataChange);
        Assert.True(Reading.Good("--load-params", folder.Path, "--accept-data-change").Spec.AcceptDataChange);
    }

    [Fact]
    public void Flags_change_the_preset()
    {
        RunSpec spec = Reading.Good("--preset", "quick", "-d", "mnist", "-n", "32").Spec;

        Assert.Equal(
            Presets.Quick with { DataSet = DataSet.Mnist, Filters = 32, DataDir = spec.DataDir, SaveDir = spec.SaveDir, Workers = 4 },
            spec);
        Assert.EndsWith("20260102-030405-mnist", spec.SaveDir, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new string[0], 4, 1)]
    [InlineData(new[] { "--shards", "2" }, 2, 2)]
    [InlineData(new[] { "--workers", "1" }, 1, 4)]
    [InlineData(new[] { "--shards", "16", "--workers", "16" }, 16, 1)]
    [InlineData(new[] { "--workers", "2", "--threads", "5" }, 2, 5)]
    public void The_cores_are_shared_out(string[] flags, int workers, int threads)
    {
        TrainRequest request = Reading.Good(flags);

        Assert.Equal((workers, threads), (request.Spec.Workers, request.Threads));
    }

    [Fact]
    public void The_run_is_named_after_its_folder()
    {
        TrainRequest request = Reading.Good("-o", _folder.File("mine/"));

        Assert.Equal("mine", request.Run);
        Assert.Equal(_folder.File("mine/logs"), request.LogDir);
    }

    [Fact]
    public void A_checkpoints_settings_are_the_defaults_of_what_continues_it()
    {
        RunSpec saved =
            Presets.Quick with { Filters = 24, Seed = 5, SaveDir = "/where/it/was", DataDir = "/sets", Workers = 3, LoadParams = "/older" };
        string path = Checkpoints.Write(_folder, 10, saved);

        RunSpec spec = Reading.Good("--load_params", path, "-x", "9").Spec;

        Assert.Equal(saved with { MaxEpochs = 9, SaveDir = _folder.Path, Workers = 4, LoadParams = path }, spec);
    }

    [Fact]
    public void A_folder_stands_for_its_newest_checkpoint()
    {
        Checkpoints.Write(_folder, 10, Presets.Quick);
        string newest = Checkpoints.Write(_folder, 20, Presets.Quick);

        Assert.Equal(newest, Reading.Good("-r", _folder.Path).Spec.LoadParams);
        Assert.Equal(newest, Reading.Good("-r", "-o", _folder.Path).Spec.LoadParams);
        Assert.Equal(newest, Reading.Good("-o", _folder.Path, "--load-params").Spec.LoadParams);
    }

    [Fact]
    public void A_named_data_set_starts_from_its_own_defaults_in_its_own_folder()
    {
        RunSpec spec = Reading.Good("-r", Checkpoints.Write(_folder, 10, Presets.Quick), "-d", "mnist").Spec;

        Assert.Equal(160, spec.Filters);
        Assert.EndsWith("20260102-030405-mnist", spec.SaveDir, StringComparison.Ordinal);
    }
}
