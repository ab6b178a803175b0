namespace PixelCnnCluster.Contracts;

/// <summary>What can be wrong with a job before its model is loaded.</summary>
public static class JobValidation
{
    /// <summary>All mistakes at once, each a sentence that names the flag and the remedy; empty when there is none.</summary>
    public static IReadOnlyList<string> Validate(this Job job)
    {
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
            Check(temperature == 1 || job.Model.HasLikelihood, $"{flag} needs a mixture, and {job.Model.Path} was trained by energy distance; leave it out.");
        }

        Check(job.Count >= 1, $"--count is {job.Count}; give 1 or more.");
        Check(job.Batch is null or (>= 1 and <= 4096), $"--batch is {job.Batch}; give a number from 1 to 4096.");
        switch (job)
        {
            case DrawJob draw:
                CheckClass(draw.Class);
                CheckTemperature(draw.MixtureTemperature, "--mixture-temperature");
                CheckTemperature(draw.LogisticTemperature, "--logistic-temperature");
                if (draw.Given is { } given)
                {
                    Check(given.Each >= 1 && given.Mask.Length == job.Model.Size * job.Model.Size && (long)given.Images.Length * given.Each == (long)job.Count * job.Model.ImageBytes,
                        $"The given images are not {job.Count} of {job.Model.Size}x{job.Model.Size} pixels with {job.Model.Channels} channels; begin again with the model that is there now.");
                }

                break;
            case ScoreJob score:
                CheckClass(score.Class);
                Check(score.Class is null || score.Images is not null, $"--class is {score.Class}, but a data set has labels of its own; leave it out.");
                Check(score.Images is null || score.Images.Length == (long)job.Count * job.Model.ImageBytes,
                    $"The images are not {job.Count} of {job.Model.Size}x{job.Model.Size} pixels with {job.Model.Channels} channels; begin again with the model that is there now.");
                Check(score.Class is not null || score.Images is null || score.Model.Classes == 0,
                    $"{job.Model.Path} is conditioned on {job.Model.Classes} classes; say with --class which of them the images are of.");
                Check(score.Model.HasLikelihood, $"{job.Model.Path} was trained by energy distance and has no likelihood to score with; name another model with --model.");
                break;
        }

        return mistakes;
    }
}
