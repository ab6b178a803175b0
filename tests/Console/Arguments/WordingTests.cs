namespace PixelCnnCluster.Console.Tests.Arguments;

/// <summary>The wording of mistakes, one of each kind. All other tests hold the flag and the exit code alone.</summary>
public sealed class WordingTests
{
    [Theory]
    [InlineData("--nr_filtres 3", "--nr_filtres is not a flag of train; train --help lists them.")]
    [InlineData("-q many", "--nr-resnet is \"many\"; give a whole number.")]
    [InlineData("-q", "--nr-resnet has no value; give a whole number.")]
    [InlineData("-q 0", "--nr-resnet is 0; give 1 or more.")]
    [InlineData("-d lsun", "--data-set is \"lsun\"; give one of cifar, imagenet, mnist, fashion-mnist, digits, folder.")]
    [InlineData("-ed -fl", "--energy-distance has no likelihood that --focal-loss could weight; leave one of them out.")]
    [InlineData("--focal-gamma 1", "--focal-gamma does nothing without --focal-loss; add that or leave it out.")]
    [InlineData(
        "-o /",
        "The run's name, the last part of --save-dir, has to have 1 to 100 characters, none of them / or a control character; name " +
        "another folder.")]
    [InlineData(
        "--cluster a:1 --threads 2",
        "--threads is for a cluster of this machine's own, and the silos of --cluster have theirs; leave it out.")]
    public void A_mistake_is_worded_so(string flags, string sentence) => Assert.Equal([sentence], Reading.Mistakes(flags.Split(' ')));
}
