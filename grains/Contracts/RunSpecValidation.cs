namespace PixelCnnCluster.Contracts;

/// <summary>What can be wrong with a run's specification before any data is read.</summary>
public static class RunSpecValidation
{
    /// <exception cref="UserErrorException">There are mistakes; it tells all.</exception>
    public static void Check(this RunSpec spec)
    {
        if (spec.Validate() is [_, ..] mistakes)
            throw new UserErrorException(string.Join(' ', mistakes));
    }

    /// <summary>All mistakes at once, each a sentence that names the flag and the remedy; empty when there is none.</summary>
    public static IReadOnlyList<string> Validate(this RunSpec spec)
    {
        var mistakes = new List<string>();

        void Check(bool holds, string sentence)
        {
            if (!holds)
                mistakes.Add(sentence);
        }

        void AtLeast(long value, long least, string flag) =>
            Check(value >= least, $"{flag} is {value}; give {least} or more.");

        void AtMost(long value, long most, string flag) =>
            Check(value <= most, $"{flag} is {value}; give {most} or less.");

        AtLeast(spec.Blocks, 1, "--nr-resnet");
        AtLeast(spec.Filters, 2, "--nr-filters");
        AtLeast(spec.Mixtures, 1, "--nr-logistic-mix");
        AtLeast(spec.BatchSize, 1, "--batch-size");
        AtLeast(spec.InitBatchSize, 2, "--init-batch-size");
        AtLeast(spec.Shards, 1, "--shards");
        AtLeast(spec.MaxEpochs, 1, "--max-epochs");
        AtLeast(spec.MaxSteps ?? 1, 1, "--max-steps");
        AtLeast(spec.SaveInterval, 1, "--save-interval");
        AtLeast(spec.SaveSteps ?? 1, 1, "--save-every in steps");
        Check(spec.SaveMinutes is > 0 and < double.PositiveInfinity, $"--save-every is {spec.SaveMinutes} minutes; give more than 0.");
        AtLeast(spec.KeepCheckpoints, 1, "--keep");
        AtLeast(spec.Samples, 0, "--num-samples");
        AtLeast(spec.MaxSkipped, 1, "--max-skipped");
        AtLeast(spec.Workers, 1, "--workers");
        AtMost(spec.Blocks, 100, "--nr-resnet");
        AtMost(spec.Filters, 4096, "--nr-filters");
        AtMost(spec.Mixtures, 1000, "--nr-logistic-mix");
        AtMost(spec.InitBatchSize, 65_536, "--init-batch-size");
        AtMost(spec.Samples, 4096, "--num-samples");
        AtMost(spec.BatchSize, 65_536, "--batch-size");
        AtMost(spec.Shards, 16_384, "--shards");
        AtMost(spec.Workers, 1024, "--workers");
        Check(spec.Filters % 2 == 0 || !spec.NonLocal, $"--nr-filters is {spec.Filters}; --non-local halves it, so give an even number.");
        Check(spec.Dropout is >= 0 and < 1, $"--dropout is {spec.Dropout}; give a probability from 0 up to, not including, 1.");
        Check(spec.LearningRate is > 0 and < double.PositiveInfinity, $"--learning-rate is {spec.LearningRate}; give a number above 0.");
        Check(spec.LearningRateDecay is > 0 and <= 1, $"--lr-decay is {spec.LearningRateDecay}; give a factor above 0 and up to 1.");
        AtLeast(spec.WarmupSteps, 0, "--warmup");
        Check(spec.FinalLearningRate is null or (>= 0 and < double.PositiveInfinity),
            $"--final-lr is {spec.FinalLearningRate}; give 0 or more.");
        Check(spec.FinalLearningRate is null || spec.Schedule is LearningRateSchedule.Linear or LearningRateSchedule.Cosine,
            "--final-lr is for --lr-schedule linear and cosine; give one of these or leave it out.");
        Check(spec.ClipNorm is null or (> 0 and < double.PositiveInfinity), $"--clip-norm is {spec.ClipNorm}; give a number above 0.");
        Check(spec.WeightDecay is >= 0 and < 1, $"--weight-decay is {spec.WeightDecay}; give a number from 0 up to, not including, 1.");
        Check(spec.PolyakDecay is >= 0 and < 1, $"--polyak-decay is {spec.PolyakDecay}; give a factor from 0 up to, not including, 1.");
        Check(spec.FocalGamma is >= 0 and < double.PositiveInfinity, $"--focal-gamma is {spec.FocalGamma}; give 0 or more.");
        Check(spec.MaxMinutes is null
            or (> 0 and < double.PositiveInfinity), $"--max-minutes is {spec.MaxMinutes}; give a number above 0.");
        Check(spec.ImageSize is >= 8 and <= 64
            && spec.ImageSize % 4 == 0, $"--image-size is {spec.ImageSize}; give a multiple of 4 from 8 to 64.");
        Check(spec.DataSet != DataSet.ImageNet || spec.ImageSize is 32
            or 64, $"--image-size is {spec.ImageSize}; the small ImageNet data sets are published at 32 and 64.");
        Check(spec.Workers <= spec.Shards, $"--workers is {spec.Workers}, more than the {spec.Shards} shards of a step; raise --shards " +
            $"or lower --workers.");
        return mistakes;
    }
}
