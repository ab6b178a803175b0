using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Unit.Tests.Jobs;
using PixelCnnCluster.Unit.Tests.Training.History;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>What a message says arrives, also zeros in the place of other defaults.</summary>
public sealed class MessageTests
{
    private static readonly ModelInfo Model = JobBench.Model with { Classes = 3, TestBitsPerDim = 2.5, IsDiverged = true };

    private static readonly DataSetHalf Half = new(DataSet.Folder, "/data", Train: true);

    private static readonly object[] Messages =
    [
        .. HistoryEvents.OfEveryKind,
        HistoryEvents.Step(3, skipped: true) with { GradientNormPerDim = 0.5 },
        HistoryEvents.OfEveryKind.OfType<GenerationOpened>().Single() with { Kind = GenerationCause.WorkerLost },
        HistoryEvents.OfEveryKind.OfType<RunEnded>().Single() with { StateHash = "hash", TestBitsPerDim = 3, StepsRedone = 4 },
        JobBench.Sample(2),
        JobBench.Sample(2, batch: 1) with
        {
            Model = Model,
            Class = 2,
            MixtureTemperature = 0,
            LogisticTemperature = 0.5,
            Given = new([1, 2], [true, false], Each: 3),
        },
        JobBench.Score(1) with { Class = 1, Maps = true },
        JobBench.Score(1) with { Images = null, DataSet = Half },
        new SampleRowsRequest
        {
            Job = Guid.NewGuid(),
            Model = Model,
            First = 4,
            End = 6,
            Seed = ulong.MaxValue,
            Class = 1,
            MixtureTemperature = 0,
            LogisticTemperature = 0,
            Given = [1, 2],
            Mask = [false, true],
        },
        new ScoreRequest
        {
            Job = Guid.NewGuid(),
            Model = Model,
            First = 4,
            End = 6,
            Images = [3],
            Class = 0,
            DataSet = Half,
            Maps = true,
        },
        new JoinRequest
        {
            Run = "run",
            Generation = new(7, Guid.NewGuid()),
            Workers = ["a", "b"],
            Spec = Presets.Quick,
            Step = 0,
            Source = "b",
            MustLoad = true,
        },
        new JoinResponse
        {
            Worker = "a",
            Step = 1,
            SkippedInARow = 2,
            Images = 3,
            Parameters = 4,
            TrainImages = 5,
            TestImages = 6,
            Channels = 7,
            Size = 8,
            StateHash = "hash",
            Refused = ["damaged"],
        },
        new RunOverview
        {
            Run = "run",
            State = RunState.Failed,
            DataSet = DataSet.Mnist,
            SaveDir = "/runs",
            Submitted = DateTimeOffset.UnixEpoch,
            Step = 1,
            TotalSteps = 2,
            BitsPerDim = 3,
            TestBitsPerDim = 0,
            Workers = ["a"],
            WorkersWanted = 4,
            Generation = 5,
            Error = "error",
            Unfit = ["b"],
        },
    ];

    [Fact]
    public void A_message_arrives_as_it_was_sent()
    {
        using ServiceProvider services = new ServiceCollection().AddSerializer().BuildServiceProvider();
        Serializer serializer = services.GetRequiredService<Serializer>();

        Assert.All(
            Messages,
            message => Assert.Equal(Text(message), Text(serializer.Deserialize<object>(serializer.SerializeToArray(message))!)));
    }

    private static string Text(object message) =>
        $"{message.GetType().Name} {JsonSerializer.Serialize(message, message.GetType(), ContractsJson.Options)}";
}
