using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>A sampler scores as training does, and refuses what it cannot score with a sentence.</summary>
public sealed class ScoringTests
{
    private static readonly DataSetHalf DigitsTest = new(DataSet.Digits, "", Train: false);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    public async Task The_bits_of_the_test_images_are_the_nats_of_training(int threads, int channels)
    {
        using var run = TinyRun.Start(TinyRun.Small, channels: channels);
        run.Steps(2);
        using JobDevice device = new(run, threads);
        ImageSet test = TinyRun.Images(channels).Test;
        byte[] images = [.. Enumerable.Range(0, test.Count).SelectMany(i => test.Image(i).ToArray())];
        ImagesScored scored = await device.Sampler.ScoreAsync(
            new() { Job = Guid.NewGuid(), Model = device.Model, First = 20, End = 20 + test.Count, Images = images, Maps = true });
        Assert.Equal((20, test.Count), (scored.First, scored.Bits.Length));
        AssertClose(run.On(() => run.Replica.Evaluate(0, (test.Count + 1) / 2)).Sum() / Math.Log(2), scored.Bits.Sum());
        Assert.Equal(images, scored.Maps!.Pixels);
        Assert.Equal(test.Count * 64, scored.Maps.Bits.Length);
        for (int i = 0; i < test.Count; i++)
            AssertClose(scored.Bits[i], scored.Maps.Bits.Skip(i * 64).Take(64).Sum(bits => (double)bits));

        int bytes = device.Model.ImageBytes;
        ImagesScored part = await device.Sampler.ScoreAsync(
            new() { Job = Guid.NewGuid(), Model = device.Model, First = 3, End = 5, Images = images[(3 * bytes)..(5 * bytes)] });
        Assert.Null(part.Maps);
        AssertClose(scored.Bits[3] + scored.Bits[4], part.Bits.Sum());
    }

    [Fact]
    public async Task A_data_set_is_scored_with_its_labels_and_single_images_with_a_class()
    {
        ImageData digits = ImageDataSets.Load(DataSet.Digits, "", 0);
        using var run = TinyRun.Start(TinyRun.Small with { Model = TinyRun.Small.Model with { ClassConditional = true } }, digits);
        run.Steps(2);
        using JobDevice device = new(run);
        Assert.Equal(digits.Test.Count, await device.Sampler.CountAsync(DigitsTest, device.Model));
        Assert.Equal(digits.Train.Count, await device.Sampler.CountAsync(DigitsTest with { Train = true }, device.Model));
        ImagesScored scored = await device.Sampler.ScoreAsync(
            new() { Job = Guid.NewGuid(), Model = device.Model, First = 4, End = 8, DataSet = DigitsTest });
        AssertClose(run.On(() => run.Replica.Evaluate(2, 4)).Sum() / Math.Log(2), scored.Bits.Sum());

        ScoreRequest one = new()
        {
            Job = Guid.NewGuid(),
            Model = device.Model,
            First = 4,
            End = 5,
            Images = digits.Test.Image(4).ToArray(),
            Class = digits.Test.Label(4),
        };
        AssertClose(scored.Bits[0], (await device.Sampler.ScoreAsync(one)).Bits.Single());
        int other = (digits.Test.Label(4) + 1) % 10;
        Assert.NotEqual(scored.Bits[0], (await device.Sampler.ScoreAsync(one with { Job = Guid.NewGuid(), Class = other })).Bits.Single());
    }

    [Fact]
    public async Task A_data_set_of_other_images_or_classes_is_refused()
    {
        using var tiny = TinyRun.Start(TinyRun.Small);
        using JobDevice small = new(tiny);
        await AssertMistakeAsync(
            () => small.Sampler.CountAsync(DigitsTest, small.Model), "has images of 28x28 pixels with 1 channels", "models 8x8 with 1");

        // Of two classes, where the data set has ten.
        using var run = TinyRun.Start(TinyRun.Small with
        {
            Model = TinyRun.Small.Model with { ClassConditional = true },
        }, TinyRun.Images(channels: 1, size: 28));
        using JobDevice device = new(run);
        await AssertMistakeAsync(() => device.Sampler.CountAsync(DigitsTest, device.Model), "labels of 10 classes", "is conditioned on 2");
    }

    [Fact]
    public async Task A_checkpoint_that_is_not_what_it_was_is_refused()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        using JobDevice device = new(run);
        string path = device.Model.Path;

        await AssertMistakeAsync(
            () => device.SampleAsync(
                device.Order(0, 1) with
                {
                    Model = device.Model with
                    {
                        Spec = device.Model.Spec with
                        {
                            Model = device.Model.Spec.Model with { Filters = 6 },
                        }
                    }
                }), path,
                "is of another network (", "[6, ", "name another with --model");
        byte[] valid = File.ReadAllBytes(path);
        valid[^20] ^= 1;
        File.WriteAllBytes(path, valid);
        await AssertMistakeAsync(() => device.SampleAsync(device.Order(0, 1)), path, "cannot be");
        run.Steps(1);
        run.Checkpoint().Write(path);
        await AssertMistakeAsync(() => device.SampleAsync(device.Order(0, 1)), path, "was overwritten while it was in use");
        File.Delete(path);
        await AssertMistakeAsync(() => device.SampleAsync(device.Order(0, 1)), path);
    }

    private static async Task AssertMistakeAsync(Func<Task> work, params string[] parts)
    {
        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(work);
        Assert.All(parts, part => Assert.Contains(part, mistake.Message, StringComparison.Ordinal));
    }

    private static void AssertClose(double expected, double actual) =>
        Assert.InRange(actual, expected - (Math.Abs(expected) * 1e-6), expected + (Math.Abs(expected) * 1e-6));
}
