namespace PixelCnnCluster.Contracts;

/// <summary>What can be wrong with a job before its model is loaded.</summary>
public static class JobValidation
{
    /// <summary>Bytes of images that go with ease into one message of Orleans, whose default limit is 100 MB.</summary>
    private const int MostSent = 64 << 20;

    /// <summary>Images that a sampler takes at once.</summary>
    public const int MostAtOnce = 4096;

    /// <summary>All mistakes at once, each a sentence that names the flag and the remedy; empty when there is none.</summary>
    public static IReadOnlyList<string> Validate(this Job job)
    {
        if (job.Model.Mistake() is { } impossible)
            return [impossible];
        var mistakes = new List<string>();

        void Check(bool holds, string sentence)
        {
            if (!holds)
                mistakes.Add(sentence);
        }

        void CheckClass(int? label) => Check(label is null || (label >= 0 && label < job.Model.Classes), job.Model.Classes == 0
            ? $"--class is {label}, but {job.Model.Path} is not conditioned on classes; leave it out, or train with --class-conditional."
            : $"--class is {label}; give a class from 0 to {job.Model.Classes - 1}.");

        void CheckTemperature(double temperature, string flag)
        {
            Check(temperature is >= 0 and < double.PositiveInfinity, $"{flag} is {temperature}; give 0 or more.");
            Check(temperature == 1
                || job.Model.HasLikelihood, $"{flag} needs a mixture, and {job.Model.Path} was trained by energy distance; leave it out.");
        }

        Check(job.Count >= 1, $"--count is {job.Count}; give 1 or more.");
        Check(job.Batch is null or (>= 1 and <= MostAtOnce), $"--batch is {job.Batch}; give a number from 1 to {MostAtOnce}.");
        long bytes = (long)job.Count * job.Model.ImageBytes;
        string ofModel =
            $"of {job.Model.Size}x{job.Model.Size} pixels with {job.Model.Channels} channels; begin again with the model that is there " +
            $"now.";
        switch (job)
        {
            case SampleJob sample:
                CheckClass(sample.Class);
                CheckTemperature(sample.MixtureTemperature, "--mixture-temperature");
                CheckTemperature(sample.LogisticTemperature, "--logistic-temperature");
                Check(bytes <= Array.MaxLength, $"--count makes {job.Count} images, more than can be held; sample at most " +
                    $"{Array.MaxLength / job.Model.ImageBytes} at a time, each time with another --seed.");
                Check(sample.Given is not { } given
                    || (given.Each >= 1 && given.Mask.Length == job.Model.Size * job.Model.Size
                        && (long)given.Images.Length * given.Each == bytes),
                    $"The given images are not {job.Count} {ofModel}");
                break;
            case ScoreJob score:
                Check(score.Images is null != score.DataSet is null, "Give either images or a data set to score.");
                CheckClass(score.Class);
                Check(score.Class is null
                    || score.Images is not null, $"--class is {score.Class}, but a data set has labels of its own; leave it out.");
                Check(score.Class is not null || score.Images is null || score.Model.Classes == 0,
                    $"{job.Model.Path} is conditioned on {job.Model.Classes} classes; say with --class which of them the images are of.");
                Check(score.Model.HasLikelihood, $"{job.Model.Path} was trained by energy distance and has no likelihood to score with; " +
                    $"name another model with --model.");
                Check(score.Images is null || score.Images.Length == bytes, $"The images are not {job.Count} {ofModel}");
                Check(score.Images is null || bytes <= MostSent,
                    $"{job.Count} images are too many for one message; name at most {MostSent / job.Model.ImageBytes}, or score them " +
                    $"where they lie with --data-set folder --data-dir.");
                break;
        }

        return mistakes;
    }
}
