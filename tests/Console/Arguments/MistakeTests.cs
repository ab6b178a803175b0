using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class MistakeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--nr_filtres 3", "--nr_filtres is not a flag of train; train --help lists them.")]
    [InlineData("surplus", "surplus is not a flag of train; train --help lists them.")]
    [InlineData("-q many", "--nr-resnet is \"many\"; give a whole number.")]
    [InlineData("-q 1.5", "--nr-resnet is \"1.5\"; give a whole number.")]
    [InlineData("-q 99999999999", "--nr-resnet is \"99999999999\"; give a whole number.")]
    [InlineData("-q", "--nr-resnet has no value; give a whole number.")]
    [InlineData("-q 0", "--nr-resnet is 0; give 1 or more.")]
    [InlineData("-s -1", "--seed is \"-1\"; give a whole number from 0 up.")]
    [InlineData("-l 0,5", "--learning-rate is \"0,5\"; give a number.")]
    [InlineData("-l -0.1", "--learning-rate is -0.1; give a number above 0.")]
    [InlineData("-l NaN", "--learning-rate is NaN; give a number above 0.")]
    [InlineData("--max-minutes Infinity", "--max-minutes is Infinity; give a number above 0.")]
    [InlineData("-p 1", "--dropout is 1; give a probability from 0 up to, not including, 1.")]
    [InlineData("-d lsun", "--data-set is \"lsun\"; give one of cifar, imagenet, mnist, fashion-mnist, digits, folder.")]
    [InlineData("-d 3", "--data-set is \"3\"; give one of cifar, imagenet, mnist, fashion-mnist, digits, folder.")]
    [InlineData("-z swish", "--resnet-nonlinearity is \"swish\"; give one of concat_elu, elu, relu.")]
    [InlineData("--precision half", "--precision is \"half\"; give one of tf32, float32, bf16.")]
    [InlineData("--wire tf32", "--wire is \"tf32\"; give one of float32, bf16.")]
    [InlineData("--preset slow", "--preset is \"slow\"; give one of quick, cifar.")]
    [InlineData("-ed -fl", "--energy-distance has no likelihood that --focal-loss could weight; leave one of them out.")]
    [InlineData("--focal-gamma 1", "--focal-gamma does nothing without --focal-loss; add that or leave it out.")]
    [InlineData(
        "--image-size 32",
        "--image-size is for --data-set imagenet and folder; the images of other data sets have one size, so leave it out.")]
    [InlineData("-d imagenet --image-size 16", "--image-size is 16; the small ImageNet data sets are published at 32 and 64.")]
    [InlineData("-d folder --image-size 30", "--image-size is 30; give a multiple of 4 from 8 to 64.")]
    [InlineData("-g 2 --workers 3", "--workers is 3, more than the 2 shards of a step; raise --shards or lower --workers.")]
    [InlineData("--threads 0", "--threads is 0; give 1 or more.")]
    [InlineData("--max-skipped 0", "--max-skipped is 0; give 1 or more.")]
    [InlineData(
        "-o /",
        "The run's name, the last part of --save-dir, has to have 1 to 100 characters, none of them / or a control character; name " +
        "another folder.")]
    [InlineData(
        "--detach",
        "--detach is for --cluster, because a cluster of this machine's own ends with this command; give that or leave it out.")]
    [InlineData(
        "--cluster",
        "--cluster has no value; give host:port of the cluster's Redis, and /ID behind it if the cluster has an id of its own.")]
    [InlineData(
        "--cluster redis",
        "--cluster is \"redis\"; give host:port of the cluster's Redis, and /ID behind it if the cluster has an id of its own.")]
    [InlineData(
        "--cluster a:1 --threads 2",
        "--threads is for a cluster of this machine's own, and the silos of --cluster have theirs; leave it out.")]
    [InlineData(
        "--cluster a:1 -o .",
        "The run's name, the last part of --save-dir, has to have 1 to 100 characters, none of them / or a control character; name " +
        "another folder.")]
    [InlineData(
        "--cluster a:1 -r /no/where",
        "--load-params is /no/where, whose settings cannot be read on this machine; give them by flags, beginning with --data-set or " +
        "--preset.")]
    [InlineData("-r /no/where", "--load-params is /no/where, which does not exist; name a checkpoint file or a folder that holds some.")]
    [InlineData("-r", "--load-params has no value; name a checkpoint, or with --save-dir the folder whose newest is taken.")]
    [InlineData("-o", "--save-dir has no value; give a folder.")]
    public void A_mistake_is_one_sentence(string flags, string sentence) => Assert.Equal([sentence], Reading.Mistakes(flags.Split(' ')));

    [Fact]
    public void All_mistakes_are_told_together() => Assert.Equal(
        [
            "--foo is not a flag of train; train --help lists them.",
            "--load-params is /no/where, which does not exist; name a checkpoint file or a folder that holds some.",
            "--nr-resnet is \"x\"; give a whole number.",
            "--batch-size is 0; give 1 or more.",
            "--focal-gamma does nothing without --focal-loss; add that or leave it out.",
        ],
        Reading.Mistakes("-q", "x", "--foo", "1", "--focal-gamma", "3", "-b", "0", "-r", "/no/where"));

    [Fact]
    public void A_folder_without_checkpoints_cannot_be_continued() =>
        Assert.Equal(
            [$"--load-params finds no checkpoint (step-*.safetensors) in {_folder.Path}; name another file or folder."],
            Reading.Mistakes("-r", _folder.Path));

    [Fact]
    public void A_file_that_is_no_checkpoint_cannot_be_continued()
    {
        File.WriteAllText(_folder.File("x"), "not a checkpoint at all");

        string mistake = Assert.Single(Reading.Mistakes("-r", _folder.File("x")));

        Assert.StartsWith($"{_folder.File("x")} is not a whole checkpoint of this program", mistake, StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_run_leaves_the_checkpoints_of_another_alone()
    {
        Checkpoints.Write(_folder, 10, Presets.Quick);

        Assert.Equal(
            [$"--save-dir {_folder.Path} holds the checkpoints of another run; add --load-params to continue it, or name another folder."],
            Reading.Mistakes("-o", _folder.Path));
    }

    [Fact]
    public void A_file_is_no_folder()
    {
        File.WriteAllText(_folder.File("x"), "");

        Assert.Equal([$"--save-dir {_folder.File("x")} is a file; name a folder."], Reading.Mistakes("-o", _folder.File("x")));
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
