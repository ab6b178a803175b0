using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Training;

public sealed class RecordedShardTests
{
    private static readonly RunSpec Plain = new() { Model = new() { Dropout = 0.5 } };

    public static TheoryData<RunSpec, bool> Specs => new()
    {
        { Plain, true },
        { Plain with {
            Model = Plain.Model with { ClassConditional = true, NonLocal = true, CoordinateChannels = true, Objective = Objective.Focal },
            Compute = Plain.Compute with { Precision = Precision.Bf16 },
        }, true },
        { Plain with { Model = Plain.Model with { Nonlinearity = Nonlinearity.Relu, Dropout = 0 } }, true },
        { Plain with { Model = Plain.Model with { Nonlinearity = Nonlinearity.Relu } }, false },
        { Plain with { Model = Plain.Model with { Objective = Objective.EnergyDistance } }, false },
    };

    /// <summary>What samples other noise than masks would repeat the first step's.</summary>
    [Theory]
    [MemberData(nameof(Specs))]
    public void What_samples_other_noise_than_masks_is_not_recorded(RunSpec spec, bool isRecorded) =>
        Assert.Equal(isRecorded, RecordedShard.Takes(spec, new Device(DeviceType.CUDA, 0)));

    [Fact]
    public void Nothing_is_recorded_on_the_cpu_or_on_another_card_than_the_first()
    {
        Assert.False(RecordedShard.Takes(Plain, CPU));
        Assert.False(RecordedShard.Takes(Plain, new Device(DeviceType.CUDA, 1)));
    }
}
