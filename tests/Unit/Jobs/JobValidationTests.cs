using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Jobs;

/// <summary>Every wrong value gets one sentence that names its flag.</summary>
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

    private static readonly (Job Job, string Named)[] Wrong =
    [
        (Sample with { Count = 0 }, "--count"),
        (Score with { Count = -1, Images = null, DataSet = Digits }, "--count"),
        (Sample with { Count = int.MaxValue }, "--count"),
        (Sample with { Batch = 0 }, "--batch"),
        (Score with { Batch = 4097 }, "--batch"),
        (Sample with { Class = 3 }, "--class"),
        (Sample with { Model = OfClasses, Class = 10 }, "--class"),
        (Sample with { Model = OfClasses, Class = -1 }, "--class"),
        (Score with { Model = OfClasses, Class = 10 }, "--class"),
        (Sample with { MixtureTemperature = -0.5 }, "--mixture-temperature"),
        (Sample with { MixtureTemperature = double.NaN }, "--mixture-temperature"),
        (Sample with { LogisticTemperature = double.PositiveInfinity }, "--logistic-temperature"),
        (Sample with { Model = ByEnergy, MixtureTemperature = 0.5 }, "--mixture-temperature"),
        (Sample with { Model = ByEnergy, LogisticTemperature = 0 }, "--logistic-temperature"),
        (Score with { Model = ByEnergy }, "--model"),
        (Score with { Model = OfClasses, Images = null, DataSet = Digits, Class = 3 }, "--class"),
        (Score with { Count = 2_000_000, Images = new byte[128_000_000] }, "--data-set"),
        (Score with { Count = 2 }, "images"),
        (Sample with { Given = new(new byte[64], new bool[64], Each: 0) }, "images"),
        (Sample with { Given = new(new byte[64], new bool[63], Each: 1) }, "images"),
        (Sample with { Given = new(new byte[64], new bool[64], Each: 2) }, "images"),
        (Sample with { Count = 2, Given = new(new byte[64], new bool[64], Each: 1) }, "images"),
        (Score with { Model = OfClasses }, "--class"),
    ];

    [Fact]
    public void A_wrong_value_is_named() =>
        Assert.All(Wrong, each => Assert.Contains(each.Named, Assert.Single(each.Job.Validate()), StringComparison.Ordinal));

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
