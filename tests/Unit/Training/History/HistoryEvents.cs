using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>Events for the tests of a run's history.</summary>
internal static class HistoryEvents
{
    /// <summary>One of every kind, with what is hard to write: numbers that are not finite, nulls, pixels.</summary>
    public static IReadOnlyList<RunEvent> OfEveryKind { get; } =
    [
        new RunStarted
        {
            Run = "run",
            Spec = TinyRun.Small with
            {
                Optimiser = TinyRun.Small.Optimiser with { Seed = ulong.MaxValue },
                Limits = TinyRun.Small.Limits with { MaxSteps = 7 },
                Output = TinyRun.Small.Output with { LoadParams = "päth" },
            },
            Parameters = 1L << 40,
            TrainImages = 60_000,
            TestImages = 10_000,
            Channels = 3,
            Size = 32,
            FirstStep = 5,
            StepsPerEpoch = 12.5,
            TotalSteps = 1L << 41,
        },
        new WorkersAwaited(6),
        new GenerationOpened
        {
            Step = 7,
            Generation = 2,
            Workers = ["a", "b"],
            WorkersWanted = 3,
            Cause = "worker c left",
            StepsRedone = 4,
            Seconds = 0.25,
        },
        new StepCommitted
        {
            Step = 8,
            Epoch = 0.5,
            Loss = double.NaN,
            GradientNorm = double.PositiveInfinity,
            LearningRate = 1e-300,
            ImagesPerS = double.NegativeInfinity,
            Workers = 2,
            Generation = 2,
            Skipped = true,
        },
        Step(9),
        new Evaluated(9, 0.75, 3.5, 7000.125, 100, 2.5),
        new CheckpointSaved(9, "/save/step-9.safetensors", 1L << 33, "hash"),
        Samples(9),
        new FaultNoticed(9, null, "the disk\nis full"),
        new RunEnded
        {
            Outcome = RunOutcome.Failed,
            Step = 9,
            ImagesPerS = 1.5,
            Checkpoint = "checkpoint",
            Error = "error",
            UserError = true,
        },
    ];

    public static StepCommitted Step(long step, bool skipped = false) => new()
    {
        Step = step,
        Epoch = step / 100.0,
        BitsPerDim = 3.25,
        Loss = 6.5,
        GradientNorm = 0.125,
        LearningRate = 0.001,
        ImagesPerS = 250,
        Workers = 2,
        Generation = 1,
        Skipped = skipped,
    };

    public static SamplesWritten Samples(long step) => new(step, "/save/samples.png", 1, 1, 2, [0, 127, 128, 255]);

    /// <summary>All that an event says; records compare their lists and arrays by reference.</summary>
    public static string Text(RunEvent happened) =>
        JsonSerializer.Serialize(happened, ContractsJson.Options)
            + (happened is SamplesWritten drawn ? Convert.ToHexString(drawn.Pixels) : "");

    public static IEnumerable<string> Texts(IEnumerable<RunEvent> events) => events.Select(Text);
}
