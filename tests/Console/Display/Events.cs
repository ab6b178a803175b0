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
        new()
        {
            Run = "a-run",
            Spec = spec ?? Spec,
            Parameters = 12_345,
            TrainImages = 4_000,
            TestImages = 1_000,
            Channels = 1,
            Size = 28,
            FirstStep = 0,
            StepsPerEpoch = 125,
            TotalSteps = totalSteps,
        };

    public static GenerationOpened Generation(int number, long step = 0, string cause = "the run begins", long redone = 0) =>
        new()
        {
            Step = step,
            Generation = number,
            Workers = ["worker-0", "worker-2"],
            WorkersWanted = 3,
            Cause = cause,
            StepsRedone = redone,
            Seconds = 1.4,
        };

    public static RunOverview Overview(RunState state = RunState.Training) =>
        new()
        {
            Run = "a-run",
            State = state,
            DataSet = DataSet.FashionMnist,
            SaveDir = "/runs/a-run",
            Submitted = new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero),
            Step = 120,
            TotalSteps = 1000,
            BitsPerDim = 3.21,
            Workers = ["worker-0", "worker-2"],
            WorkersWanted = 3,
            Generation = 2,
        };

    public static StepCommitted Step(long step, double? bits = 3, double imagesPerS = 64) =>
        new()
        {
            Step = step,
            Epoch = step / 125.0,
            BitsPerDim = bits,
            Loss = 500,
            GradientNorm = 1,
            LearningRate = 0.001,
            ImagesPerS = imagesPerS,
            Workers = 2,
            Generation = 1,
        };

    public static RunEnded Ended(RunOutcome outcome = RunOutcome.Completed, string? error = null) =>
        new()
        {
            Outcome = outcome,
            Step = 1000,
            StateHash = "0123abcd",
            TestBitsPerDim = 2.345,
            ImagesPerS = 63.7,
            Checkpoint = "/runs/a-run/step-000001000.safetensors",
            Samples = "/runs/a-run/samples.png",
            Error = error,
        };
}
