using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>Every wrong value gets one sentence that names its flag and the remedy.</summary>
public sealed class JobValidationTests
{
    private static readonly SampleJob Sample = JobBench.Sample(1);
    private static readonly ScoreJob Score = JobBench.Score(1);
    private static readonly DataSetHalf Digits = new(DataSet.Digits, "", Train: false);
    private static readonly ModelInfo OfClasses = JobBench.Model with
    {
        Classes = 10,
        Spec = JobBench.Model.Spec with { Model = JobBench.Model.Spec.Model with { ClassConditional = true } },
    };
    private static readonly ModelInfo ByEnergy =
        JobBench.Model with
        {
            Spec = JobBench.Model.Spec with
            {
                Model = JobBench.Model.Spec.Model with { Objective = Objective.EnergyDistance },
            }
        };

    private const string NotGiven =
        "The given images are not 1 of 8x8 pixels with 1 channels; begin again with the model that is there now.";

    private static readonly (Job Job, string Sentence)[] Wrong =
    [
        (Sample with { Count = 0 }, "--count is 0; give 1 or more."),
        (Score with { Count = -1, Images = null, DataSet = Digits }, "--count is -1; give 1 or more."),
        (Sample with { Count = int.MaxValue },
            "--count makes 2147483647 images, more than can be held; sample at most 33554431 at a time, each time with another --seed."),
        (Sample with { Batch = 0 }, "--batch is 0; give a number from 1 to 4096."),
        (Score with { Batch = 4097 }, "--batch is 4097; give a number from 1 to 4096."),
        (Sample with { Class = 3 },
            "--class is 3, but /model is not conditioned on classes; leave it out, or train with --class-conditional."),
        (Sample with { Model = OfClasses, Class = 10 }, "--class is 10; give a class from 0 to 9."),
        (Sample with { Model = OfClasses, Class = -1 }, "--class is -1; give a class from 0 to 9."),
        (Score with { Model = OfClasses, Class = 10 }, "--class is 10; give a class from 0 to 9."),
        (Sample with { MixtureTemperature = -0.5 }, "--mixture-temperature is -0.5; give 0 or more."),
        (Sample with { MixtureTemperature = double.NaN }, "--mixture-temperature is NaN; give 0 or more."),
        (Sample with { LogisticTemperature = double.PositiveInfinity }, "--logistic-temperature is Infinity; give 0 or more."),
        (Sample with { Model = ByEnergy, MixtureTemperature = 0.5 },
            "--mixture-temperature needs a mixture, and /model was trained by energy distance; leave it out."),
        (Sample with { Model = ByEnergy, LogisticTemperature = 0 },
            "--logistic-temperature needs a mixture, and /model was trained by energy distance; leave it out."),
        (Score with { Model = ByEnergy },
            "/model was trained by energy distance and has no likelihood to score with; name another model with --model."),
        (Score with { Model = OfClasses, Images = null, DataSet = Digits, Class = 3 },
            "--class is 3, but a data set has labels of its own; leave it out."),
        (Score with { Count = 2_000_000, Images = new byte[128_000_000] },
            "2000000 images are too many for one message; name at most 1048576, or score them where they lie with --data-set folder " +
            "--data-dir."),
        (Score with { Count = 2 }, "The images are not 2 of 8x8 pixels with 1 channels; begin again with the model that is there now."),
        (Sample with { Given = new(new byte[64], new bool[64], Each: 0) }, NotGiven),
        (Sample with { Given = new(new byte[64], new bool[63], Each: 1) }, NotGiven),
        (Sample with { Given = new(new byte[64], new bool[64], Each: 2) }, NotGiven),
        (Sample with { Count = 2, Given = new(new byte[64], new bool[64], Each: 1) },
            NotGiven.Replace("1 of", "2 of", StringComparison.Ordinal)),
        (Score with { Model = OfClasses }, "/model is conditioned on 10 classes; say with --class which of them the images are of."),
    ];

    [Fact]
    public void A_wrong_value_gets_its_sentence() => Assert.All(Wrong, each => Assert.Equal([each.Sentence], each.Job.Validate()));

    [Fact]
    public void What_is_right_gets_none()
    {
        Job[] right =
        [
            Sample, Score, Sample with { MixtureTemperature = 0, LogisticTemperature = 0, Batch = 4096 },
            Sample with { Model = OfClasses }, Sample with { Model = OfClasses, Class = 9 },
            Sample with { Model = ByEnergy }, Score with { Model = OfClasses, Class = 0 },
            Score with { Model = OfClasses, Images = null, DataSet = Digits },
            Sample with { Count = 6, Given = new(new byte[128], new bool[64], Each: 3) },
        ];
        Assert.All(right, job => Assert.Empty(job.Validate()));
    }

    [Fact]
    public void All_mistakes_are_told_at_once() =>
        Assert.Equal(4, (Sample with { Count = 0, Batch = 0, Class = 1, MixtureTemperature = double.NaN }).Validate().Count);
}
