using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Training.History;

/// <summary>Events for the tests of a run's history.</summary>
internal static class HistoryEvents
{
    /// <summary>One of every kind, with what is hard to write: numbers that are not finite, nulls, pixels.</summary>
    public static IReadOnlyList<RunEvent> OfEveryKind { get; } =
    [
        new RunStarted(
            "run", TinyRun.Small with {
                Optimiser = TinyRun.Small.Optimiser with { Seed = ulong.MaxValue },
                Limits = TinyRun.Small.Limits with { MaxSteps = 7 },
                Output = TinyRun.Small.Output with { LoadParams = "päth" },
            }, 1L << 40, 60_000, 10_000, 3, 32, 5,
            12.5, 1L << 41),
        new WorkersAwaited(6),
        new GenerationOpened(7, 2, ["a", "b"], 3, "worker c left", 4, 0.25),
        new StepCommitted(8, 0.5, null, double.NaN, double.PositiveInfinity, 1e-300, double.NegativeInfinity, 2, 2, true),
        Step(9),
        new Evaluated(9, 0.75, 3.5, 7000.125, 100, 2.5),
        new CheckpointSaved(9, "/save/step-9.safetensors", 1L << 33, "hash"),
        Samples(9),
        new FaultNoticed(9, null, "the disk\nis full"),
        new RunEnded(RunOutcome.Failed, 9, null, null, 1.5, "checkpoint", null, "error", true),
    ];

    public static StepCommitted Step(long step, bool skipped = false) =>
        new(step, step / 100.0, 3.25, 6.5, 0.125, 0.001, 250, 2, 1, skipped);

    public static SamplesWritten Samples(long step) => new(step, "/save/samples.png", 1, 1, 2, [0, 127, 128, 255]);

    /// <summary>All that an event says; records compare their lists and arrays by reference.</summary>
    public static string Text(RunEvent happened) =>
        JsonSerializer.Serialize(happened, ContractsJson.Options)
            + (happened is SamplesWritten drawn ? Convert.ToHexString(drawn.Pixels) : "");

    public static IEnumerable<string> Texts(IEnumerable<RunEvent> events) => events.Select(Text);
}
