using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Display;

/// <summary>Events of a pretended run of 1000 steps of 32 images.</summary>
internal static class Events
{
    public static RunSpec Spec { get; } = Presets.Quick with
    {
        Optimiser = Presets.Quick.Optimiser with { BatchSize = 8 },
        Schedule = Presets.Quick.Schedule with { LearningRate = 0.004 },
        Limits = Presets.Quick.Limits with { MaxMinutes = null },
    };

    public static RunStarted Started(RunSpec? spec = null, long totalSteps = 1000) =>
        new("a-run", spec ?? Spec, 12_345, 4_000, 1_000, 1, 28, 0, 125, totalSteps);

    public static GenerationOpened Generation(int number, long step = 0, string cause = "the run begins", long redone = 0) =>
        new(step, number, ["worker-0", "worker-2"], 3, cause, redone, 1.4);

    public static RunOverview Overview(RunState state = RunState.Training) =>
        new("a-run", state, DataSet.FashionMnist, "/runs/a-run", new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero), 120, 1000, 3.21,
            null, ["worker-0", "worker-2"], 3, 2, null);

    public static StepCommitted Step(long step, double? bits = 3, double imagesPerS = 64) =>
        new(step, step / 125.0, bits, 500, 1, 0.001, imagesPerS, 2, 1, Skipped: false);

    public static RunEnded Ended(RunOutcome outcome = RunOutcome.Completed, string? error = null) =>
        new(outcome, 1000, "0123abcd", 2.345, 63.7, "/runs/a-run/step-000001000.safetensors", "/runs/a-run/samples.png", error,
            UserError: false);
}
