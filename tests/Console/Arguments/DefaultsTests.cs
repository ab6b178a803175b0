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
            Data = new() { DataSet = DataSet.Cifar },
            Model = new()
            {
                Blocks = 5,
                Filters = 160,
                Mixtures = 10,
                Nonlinearity = Nonlinearity.ConcatElu,
                ClassConditional = false,
                Objective = Objective.Likelihood,
                Dropout = 0.5,
                CoordinateChannels = false,
                NonLocal = false,
                FocalGamma = 2
            },
            Optimiser = new() { BatchSize = 16, InitBatchSize = 16, Shards = 8, PolyakDecay = 0.9995, Seed = 1 },
            Schedule = new() { LearningRate = 0.001, LearningRateDecay = 0.999995 },
            Limits = new() { MaxEpochs = 5000, MaxSteps = null, MaxMinutes = null },
            Output = new() { SaveInterval = 20 },
        };
        Assert.Equal(published with
        {
            Data = published.Data with { DataDir = spec.Data.DataDir },
            Output = published.Output with { SaveDir = spec.Output.SaveDir },
            Compute = published.Compute with { Workers = 4 },
        }, spec);
    }

    [Fact]
    public void Nothing_asked_for_is_the_quick_preset()
    {
        RunSpec spec = Reading.Good().Spec;

        Assert.Equal(Presets.Quick with
        {
            Data = Presets.Quick.Data with { DataDir = spec.Data.DataDir },
            Output = Presets.Quick.Output with { SaveDir = spec.Output.SaveDir },
            Compute = Presets.Quick.Compute with { Workers = 4 },
        }, spec);
        Assert.Equal(Path.GetFullPath("runs/20260102-030405-digits"), spec.Output.SaveDir);
        Assert.Equal(Path.GetFullPath("data"), spec.Data.DataDir);
    }

    /// <summary>Otherwise every later change would be accepted without a word.</summary>
    [Fact]
    public void Consent_to_changed_data_is_not_inherited()
    {
        using var folder = new TempFolder();
        Checkpoints.Write(folder, 3, Presets.Quick with { Data = Presets.Quick.Data with { AcceptDataChange = true } });

        Assert.False(Reading.Good("--load-params", folder.Path).Spec.Data.AcceptDataChange);
        Assert.True(Reading.Good("--load-params", folder.Path, "--accept-data-change").Spec.Data.AcceptDataChange);
    }

    [Fact]
    public void Flags_change_the_preset()
    {
        RunSpec spec = Reading.Good("--preset", "quick", "-d", "mnist", "-n", "32").Spec;

        Assert.Equal(
            Presets.Quick with
            {
                Data = Presets.Quick.Data with { DataSet = DataSet.Mnist, DataDir = spec.Data.DataDir },
                Model = Presets.Quick.Model with { Filters = 32 },
                Output = Presets.Quick.Output with { SaveDir = spec.Output.SaveDir },
                Compute = Presets.Quick.Compute with { Workers = 4 },
            },
            spec);
        Assert.EndsWith("20260102-030405-mnist", spec.Output.SaveDir, StringComparison.Ordinal);
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

        Assert.Equal((workers, threads), (request.Spec.Compute.Workers, request.Threads));
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
            Presets.Quick with
            {
                Data = Presets.Quick.Data with { DataDir = "/sets" },
                Model = Presets.Quick.Model with { Filters = 24 },
                Optimiser = Presets.Quick.Optimiser with { Seed = 5 },
                Output = Presets.Quick.Output with { SaveDir = "/where/it/was", LoadParams = "/older" },
                Compute = Presets.Quick.Compute with { Workers = 3 },
            };
        string path = Checkpoints.Write(_folder, 10, saved);

        RunSpec spec = Reading.Good("--load_params", path, "-x", "9").Spec;

        Assert.Equal(saved with
        {
            Limits = saved.Limits with { MaxEpochs = 9 },
            Output = saved.Output with { SaveDir = _folder.Path, LoadParams = path },
            Compute = saved.Compute with { Workers = 4 },
        }, spec);
    }

    [Fact]
    public void A_folder_stands_for_its_newest_checkpoint()
    {
        Checkpoints.Write(_folder, 10, Presets.Quick);
        string newest = Checkpoints.Write(_folder, 20, Presets.Quick);

        Assert.Equal(newest, Reading.Good("-r", _folder.Path).Spec.Output.LoadParams);
        Assert.Equal(newest, Reading.Good("-r", "-o", _folder.Path).Spec.Output.LoadParams);
        Assert.Equal(newest, Reading.Good("-o", _folder.Path, "--load-params").Spec.Output.LoadParams);
    }

    [Fact]
    public void A_named_data_set_starts_from_its_own_defaults_in_its_own_folder()
    {
        RunSpec spec = Reading.Good("-r", Checkpoints.Write(_folder, 10, Presets.Quick), "-d", "mnist").Spec;

        Assert.Equal(160, spec.Model.Filters);
        Assert.EndsWith("20260102-030405-mnist", spec.Output.SaveDir, StringComparison.Ordinal);
    }
}
