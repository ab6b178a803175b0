using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class MistakeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--nr_filtres 3", "--nr_filtres")]
    [InlineData("surplus", "surplus")]
    [InlineData("-q many", "--nr-resnet")]
    [InlineData("-q 1.5", "--nr-resnet")]
    [InlineData("-q 99999999999", "--nr-resnet")]
    [InlineData("-q", "--nr-resnet")]
    [InlineData("-q 0", "--nr-resnet")]
    [InlineData("-s -1", "--seed")]
    [InlineData("-l 0,5", "--learning-rate")]
    [InlineData("-l -0.1", "--learning-rate")]
    [InlineData("-l NaN", "--learning-rate")]
    [InlineData("--max-minutes Infinity", "--max-minutes")]
    [InlineData("-p 1", "--dropout")]
    [InlineData("--lr-schedule linear --final-lr 1", "--final-lr")]
    [InlineData("--warmup 20 --max-steps 20", "--warmup")]
    [InlineData("-d lsun", "--data-set")]
    [InlineData("-d 3", "--data-set")]
    [InlineData("-z swish", "--resnet-nonlinearity")]
    [InlineData("--precision half", "--precision")]
    [InlineData("--wire tf32", "--wire")]
    [InlineData("--preset slow", "--preset")]
    [InlineData("-ed -fl", "--energy-distance")]
    [InlineData("--focal-gamma 1", "--focal-gamma")]
    [InlineData("--image-size 32", "--image-size")]
    [InlineData("-d imagenet --image-size 16", "--image-size")]
    [InlineData("-d folder --image-size 30", "--image-size")]
    [InlineData("-g 2 --workers 3", "--workers")]
    [InlineData("--threads 0", "--threads")]
    [InlineData("--max-skipped 0", "--max-skipped")]
    [InlineData("-o /", "--save-dir")]
    [InlineData("--detach", "--detach")]
    [InlineData("--cluster", "--cluster")]
    [InlineData("--cluster redis", "--cluster")]
    [InlineData("--cluster a:1 --threads 2", "--threads")]
    [InlineData("--cluster a:1 -o .", "--save-dir")]
    [InlineData("--cluster a:1 -r /no/where", "--load-params")]
    [InlineData("-r /no/where", "--load-params")]
    [InlineData("-r", "--load-params")]
    [InlineData("-o", "--save-dir")]
    public void A_mistake_names_its_flag(string flags, string named) =>
        Mistake.AssertNames(named, Assert.Single(Reading.Mistakes(flags.Split(' '))));

    [Fact]
    public void All_mistakes_are_told_together() => Assert.Collection(
        Reading.Mistakes("-q", "x", "--foo", "1", "--focal-gamma", "3", "-b", "0", "-r", "/no/where"),
        told => Mistake.AssertNames("--foo", told),
        told => Mistake.AssertNames("--load-params", told),
        told => Mistake.AssertNames("--nr-resnet", told),
        told => Mistake.AssertNames("--batch-size", told),
        told => Mistake.AssertNames("--focal-gamma", told));

    [Fact]
    public void A_folder_without_checkpoints_cannot_be_continued() =>
        Mistake.AssertNames(_folder.Path, Assert.Single(Reading.Mistakes("-r", _folder.Path)));

    [Fact]
    public void A_file_that_is_no_checkpoint_cannot_be_continued()
    {
        File.WriteAllText(_folder.File("x"), "not a checkpoint at all");

        Mistake.AssertNames(_folder.File("x"), Assert.Single(Reading.Mistakes("-r", _folder.File("x"))));
    }

    [Fact]
    public void A_new_run_leaves_the_checkpoints_of_another_alone()
    {
        Checkpoints.Write(_folder, 10, Presets.Quick);

        Mistake.AssertNames($"--save-dir {_folder.Path}", Assert.Single(Reading.Mistakes("-o", _folder.Path)));
    }

    [Fact]
    public void A_file_is_no_folder()
    {
        File.WriteAllText(_folder.File("x"), "");

        Mistake.AssertNames($"--save-dir {_folder.File("x")}", Assert.Single(Reading.Mistakes("-o", _folder.File("x"))));
    }

    [Fact]
    public void The_gamma_of_a_continued_focal_run_may_change()
    {
        string path = Checkpoints.Write(_folder, 10, Presets.Quick with
        {
            Model = Presets.Quick.Model with { Objective = Objective.Focal },
        });

        Assert.Equal(1.5, Reading.Good("-r", path, "--focal-gamma", "1.5").Spec.Model.FocalGamma);
    }
}
