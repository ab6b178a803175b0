using System.CommandLine;
using System.Globalization;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>Turns the flags of <c>train</c> into a request, or into the list of all mistakes in them.</summary>
/// <param name="now">Local time, for the name of the run's folder.</param>
/// <param name="cores">Cores of the machine, for the number of workers and threads.</param>
public sealed class TrainRequestReader(DateTimeOffset now, int cores)
{
    private readonly List<string> _mistakes = [];

    /// <summary>One sentence each; the request is good only when there is none.</summary>
    public IReadOnlyList<string> Mistakes => _mistakes;

    public TrainRequest Read(ParseResult result)
    {
        ReportUnknown(result.UnmatchedTokens);
        var checkpoint = Checkpoint(result);
        var saved = checkpoint is null ? null : Settings(checkpoint);
        var named = TrainFlags.Preset.TryRead(result, _mistakes, out var preset);
        var continues = checkpoint is not null && !named && !TrainFlags.DataSet.IsGiven(result);
        var start = named ? preset!
            : TrainFlags.DataSet.IsGiven(result) ? new RunSpec()
            : continues ? saved!
            : Presets.Quick;
        var spec = TrainFlags.Settings.Aggregate(start with { LoadParams = checkpoint, SaveDir = "" }, (spec, flag) => flag.Apply(spec, result, _mistakes));

        if (spec.SaveDir.Length == 0)
            spec = spec with { SaveDir = continues ? Path.GetDirectoryName(checkpoint)! : DefaultSaveDir(spec.DataSet) };
        if (!TrainFlags.Workers.IsGiven(result))
            spec = spec with { Workers = Math.Clamp(spec.Shards, 1, cores) };
        if (!TrainFlags.Threads.TryRead(result, _mistakes, out var threads))
            threads = Math.Max(1, cores / Math.Max(1, spec.Workers));
        spec = spec with { SaveDir = Path.GetFullPath(spec.SaveDir), DataDir = Path.GetFullPath(spec.DataDir) };

        _mistakes.AddRange(spec.Validate());
        Check(threads >= 1, $"--threads is {threads}; give 1 or more.");
        CheckCombinations(result, spec);
        return new TrainRequest(spec, threads, TrainFlags.Json.IsGiven(result));
    }

    private void Check(bool holds, string sentence)
    {
        if (!holds)
            _mistakes.Add(sentence);
    }

    private void CheckCombinations(ParseResult result, RunSpec spec)
    {
        Check(!(TrainFlags.EnergyDistance.IsGiven(result) && TrainFlags.FocalLoss.IsGiven(result)),
            "--energy-distance has no likelihood that --focal-loss could weight; leave one of them out.");
        Check(!TrainFlags.FocalGamma.IsGiven(result) || spec.Objective == Objective.Focal || TrainFlags.FocalLoss.IsGiven(result),
            "--focal-gamma does nothing without --focal-loss; add that or leave it out.");
        Check(!TrainFlags.ImageSize.IsGiven(result) || spec.DataSet is DataSet.ImageNet or DataSet.Folder,
            "--image-size is for --data-set imagenet and folder; the images of other data sets have one size, so leave it out.");
        var newest = CheckpointHeader.Newest(spec.SaveDir);
        Check(newest is null || newest == spec.LoadParams, spec.LoadParams is null
            ? $"--save-dir {spec.SaveDir} holds the checkpoints of another run; add --load-params to continue it, or name another folder."
            : $"--save-dir {spec.SaveDir} holds {Path.GetFileName(newest)}, which --load-params would not continue; name another folder.");
        Check(!spec.ClassConditional || spec.DataSet != DataSet.Folder || HasClasses(spec.DataDir),
            $"--class-conditional needs labels, and --data-dir {spec.DataDir} has no folder per class; make those or leave the flag out.");
        Check(!File.Exists(spec.SaveDir), $"--save-dir {spec.SaveDir} is a file; name a folder.");
    }

    /// <summary>Whether a folder of images has sub-folders for classes; one that is missing is reported elsewhere.</summary>
    private static bool HasClasses(string folder)
    {
        var train = Path.Combine(folder, "train");
        return !Directory.Exists(folder) || Directory.EnumerateDirectories(Directory.Exists(train) ? train : folder).Any();
    }

    /// <summary>Absolute path of the checkpoint file that --load-params means, or null when there is none to load.</summary>
    private string? Checkpoint(ParseResult result)
    {
        string? place = null;
        if (TrainFlags.LoadParams.IsBare(result))
        {
            Check(TrainFlags.SaveDir.TryRead(result, [], out place), "--load-params has no value; name a checkpoint, or with --save-dir the folder whose newest is taken.");
        }
        else
        {
            TrainFlags.LoadParams.TryRead(result, _mistakes, out place);
        }

        if (place is null)
            return null;
        var path = File.Exists(place) ? place : CheckpointHeader.Newest(place);
        Check(path is not null, Directory.Exists(place)
            ? $"--load-params finds no checkpoint (step-*.safetensors) in {place}; name another file or folder."
            : $"--load-params is {place}, which does not exist; name a checkpoint file or a folder that holds some.");
        return path is null ? null : Path.GetFullPath(path);
    }

    private RunSpec Settings(string checkpoint)
    {
        try
        {
            return CheckpointHeader.Read(checkpoint).Spec;
        }
        catch (UserErrorException mistake)
        {
            _mistakes.Add(mistake.Message);
            return new RunSpec();
        }
    }

    private string DefaultSaveDir(DataSet dataSet) =>
        Path.Combine("runs", string.Create(CultureInfo.InvariantCulture, $"{now:yyyyMMdd-HHmmss}-{dataSet.ToString().ToLowerInvariant()}"));

    private void ReportUnknown(IReadOnlyList<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            // What follows an unknown flag is most likely its value and no mistake of its own.
            if (tokens[i].StartsWith('-') || i == 0 || !tokens[i - 1].StartsWith('-'))
                _mistakes.Add($"{tokens[i]} is not a flag of train; train --help lists them.");
        }
    }
}
