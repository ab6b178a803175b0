using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class SpellingTests
{
    public static IEnumerable<TheoryDataRow<string, string?, RunSpec>> Spellings()
    {
        (string[] Spellings, string? Value, Func<RunSpec, RunSpec> Set)[] flags =
        [
            (["--data-set", "--data_set", "-d"], "mnist", s => s with { Data = s.Data with { DataSet = DataSet.Mnist } }),
            (["--data-dir", "--data_dir", "-i"], "/sets", s => s with { Data = s.Data with { DataDir = "/sets" } }),
            (["--save-dir", "--save_dir", "-o"], "/nowhere/mine", s => s with { Output = s.Output with { SaveDir = "/nowhere/mine" } }),
            (["--save-interval", "--save_interval", "-t"], "7", s => s with { Output = s.Output with { SaveInterval = 7 } }),
            (["--keep"], "9", s => s with { Output = s.Output with { KeepCheckpoints = 9 } }),
            (["--nr-resnet", "--nr_resnet", "-q"], "2", s => s with { Model = s.Model with { Blocks = 2 } }),
            (["--nr-filters", "--nr_filters", "-n"], "80", s => s with { Model = s.Model with { Filters = 80 } }),
            (["--nr-logistic-mix", "--nr_logistic_mix", "-m"], "3", s => s with { Model = s.Model with { Mixtures = 3 } }),
            (["--resnet-nonlinearity", "--resnet_nonlinearity", "-z"], "elu",
                s => s with { Model = s.Model with { Nonlinearity = Nonlinearity.Elu } }),
            (["--class-conditional", "--class_conditional", "-c"], null, s => s with { Model = s.Model with { ClassConditional = true } }),
            (["--energy-distance", "--energy_distance", "-ed"], null,
                s => s with { Model = s.Model with { Objective = Objective.EnergyDistance } }),
            (["--focal-loss", "--focal_loss", "-fl"], null, s => s with { Model = s.Model with { Objective = Objective.Focal } }),
            (["--coordinate-channels", "--coordinate_channels", "-ac"], null,
                s => s with { Model = s.Model with { CoordinateChannels = true } }),
            (["--non-local", "--non_local", "-nl"], null, s => s with { Model = s.Model with { NonLocal = true } }),
            (["--learning-rate", "--learning_rate", "-l"], "2e-4", s => s with { Schedule = s.Schedule with { LearningRate = 0.0002 } }),
            (["--lr-decay", "--lr_decay", "-e"], "0.5", s => s with { Schedule = s.Schedule with { LearningRateDecay = 0.5 } }),
            (["--polyak-decay", "--polyak_decay"], "0.9", s => s with { Optimiser = s.Optimiser with { PolyakDecay = 0.9 } }),
            (["--dropout", "--dropout-p", "--dropout_p", "-p"], "0.25", s => s with { Model = s.Model with { Dropout = 0.25 } }),
            (["--batch-size", "--batch_size", "-b"], "4", s => s with { Optimiser = s.Optimiser with { BatchSize = 4 } }),
            (["--init-batch-size", "--init_batch_size", "-u"], "6", s => s with { Optimiser = s.Optimiser with { InitBatchSize = 6 } }),
            (["--shards", "--nr-gpu", "--nr_gpu", "-g"], "16", s => s with { Optimiser = s.Optimiser with { Shards = 16 } }),
            (["--precision"], "bf16", s => s with { Compute = s.Compute with { Precision = Precision.Bf16 } }),
            (["--precision"], "float32", s => s with { Compute = s.Compute with { Precision = Precision.Float32 } }),
            (["--mixed-workers"], null, s => s with { Compute = s.Compute with { MixedWorkers = true } }),
            (["--wire"], "bf16", s => s with { Compute = s.Compute with { Wire = WireFormat.Bf16 } }),
            (["--max-epochs", "--max_epochs", "-x"], "11", s => s with { Limits = s.Limits with { MaxEpochs = 11 } }),
            (["--max-steps", "--max_steps"], "5000000000", s => s with { Limits = s.Limits with { MaxSteps = 5_000_000_000 } }),
            (["--max-minutes", "--max_minutes"], "1.5", s => s with { Limits = s.Limits with { MaxMinutes = 1.5 } }),
            (["--num-samples", "--num_samples", "-ns"], "25", s => s with { Output = s.Output with { Samples = 25 } }),
            (["--seed", "-s"], "18446744073709551615", s => s with { Optimiser = s.Optimiser with { Seed = ulong.MaxValue } }),
            (["--max-skipped", "--max_skipped"], "4", s => s with { Limits = s.Limits with { MaxSkipped = 4 } }),
            (["--workers"], "3", s => s with { Compute = s.Compute with { Workers = 3 } }),
        ];
        return
            from flag in flags
            from spelling in flag.Spellings
            select new TheoryDataRow<string, string?, RunSpec>(spelling, flag.Value, flag.Set(Reading.Good("--preset", "cifar").Spec));
    }

    [Theory]
    [MemberData(nameof(Spellings))]
    public void Every_spelling_sets_its_property_alone(string spelling, string? value, RunSpec expected)
    {
        RunSpec spec = Reading.Good(["--preset", "cifar", spelling, .. value is null ? [] : new[] { value }]).Spec;

        // The folder is named after the data set unless it is given.
        Assert.Equal(expected with { Output = expected.Output with { SaveDir = spec.Output.SaveDir } }, spec);
        Assert.True(
            spelling is not ("--save-dir" or "--save_dir" or "-o")
                || spec.Output.SaveDir == expected.Output.SaveDir, "the folder is taken over");
    }

    [Theory]
    [InlineData("--image-size")]
    [InlineData("--image_size")]
    public void The_image_size_is_for_sets_of_many_sizes(string spelling) =>
        Assert.Equal(64, Reading.Good("-d", "imagenet", spelling, "64").Spec.Data.ImageSize);

    [Fact]
    public void Short_forms_of_one_and_two_letters_stand_side_by_side()
    {
        RunSpec spec = Reading.Good("-d", "cifar", "-e", "0.9", "-ed", "-s", "4", "-ns", "5", "-n", "10", "-nl").Spec;

        Assert.Equal(
            (0.9, Objective.EnergyDistance, 4UL, 5, 10, true),
            (spec.Schedule.LearningRateDecay, spec.Model.Objective, spec.Optimiser.Seed, spec.Output.Samples, spec.Model.Filters,
                spec.Model.NonLocal));
    }

    [Fact]
    public void Values_may_follow_an_equals_sign() => Assert.Equal(80, Reading.Good("--nr_filters=80").Spec.Model.Filters);

    [Fact]
    public void The_last_of_several_values_counts() => Assert.Equal(3, Reading.Good("-q", "2", "--nr_resnet", "3").Spec.Model.Blocks);

    [Theory]
    [InlineData("fashion-mnist", DataSet.FashionMnist)]
    [InlineData("fashion_mnist", DataSet.FashionMnist)]
    [InlineData("imagenet", DataSet.ImageNet)]
    [InlineData("cifar", DataSet.Cifar)]
    [InlineData("digits", DataSet.Digits)]
    [InlineData("folder", DataSet.Folder)]
    public void Data_sets_go_by_their_usual_names(string name, DataSet expected) =>
        Assert.Equal(expected, Reading.Good("-d", name).Spec.Data.DataSet);

    [Fact]
    public void Json_is_told_apart()
    {
        Assert.True(Reading.Good("--json").Json);
        Assert.False(Reading.Good().Json);
    }
}
