using System.CommandLine;
using System.Globalization;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Client.Arguments;

/// <summary>Turns the flags of <c>train</c> into a request, or into the list of all mistakes in them.</summary>
/// <param name="now">Local time, for the name of the run's folder.</param>
/// <param name="cores">Cores of the machine, for the number of workers and threads of a local cluster.</param>
/// <param name="cluster">Value of <see cref="CommonFlags.ClusterVariable"/>.</param>
public sealed class TrainRequestReader(DateTimeOffset now, int cores, string? cluster)
{
    /// <summary>More than any cluster has; a run takes as many workers as there are.</summary>
    private const int ManyWorkers = 1024;

    private readonly List<string> _mistakes = [];

    /// <summary>One sentence each; the request is good only when there is none.</summary>
    public IReadOnlyList<string> Mistakes => _mistakes;

    public TrainRequest Read(ParseResult result)
    {
        _mistakes.AddRange(LooseWords.Of(result).Select(word => LooseWords.Mistake(word, result)));
        bool shared = CommonFlags.TryReadCluster(result, cluster, _mistakes, out ClusterAddress? address);
        string? checkpoint = Checkpoint(result, shared);
        bool named = TrainFlags.Preset.TryRead(result, _mistakes, out RunSpec? preset);
        bool continues = checkpoint is not null && !named && !TrainFlags.DataSet.IsGiven(result);
        RunSpec? saved = checkpoint is null ? null : Settings(checkpoint, shared, continues);
        RunSpec start = named ? preset!
            : TrainFlags.DataSet.IsGiven(result) ? new RunSpec()
            : continues ? saved!
            : Presets.Quick;
        RunSpec spec = TrainFlags.Settings.Aggregate(
            // Consent to changed data, or to a lack of memory, is for one time.
            start with
            {
                Data = start.Data with { AcceptDataChange = false },
                Compute = start.Compute with { IgnoreMemory = false },
                Output = start.Output with { LoadParams = checkpoint, SaveDir = "" },
            },
            (spec, flag) => flag.Apply(spec, result, _mistakes));

        if (spec.Output.SaveDir.Length == 0)
            spec = spec with
            {
                Output = spec.Output with
                {
                    SaveDir = continues && !shared ? Path.GetDirectoryName(checkpoint)! : DefaultSaveDir(spec.Data.DataSet),
                },
            };
        if (!TrainFlags.Workers.IsGiven(result))
            spec = spec with
            {
                Compute = spec.Compute with { Workers = Math.Clamp(spec.Optimiser.Shards, 1, shared ? ManyWorkers : cores) },
            };
        if (!TrainFlags.Threads.TryRead(result, _mistakes, out int threads))
            threads = Math.Max(1, cores / Math.Max(1, spec.Compute.Workers));
        if (!shared)
            spec = spec with
            {
                Data = spec.Data with { DataDir = Path.GetFullPath(spec.Data.DataDir) },
                Output = spec.Output with { SaveDir = Path.GetFullPath(spec.Output.SaveDir) },
            };

        _mistakes.AddRange(spec.Validate());
        CheckCombinations(result, spec);
        var request = new TrainRequest(spec, threads, address, CommonFlags.Json.IsGiven(result), CommonFlags.Detach.IsGiven(result))
        {
            PrintsConfig = TrainFlags.PrintConfig.IsGiven(result),
        };
        if (RunName.Mistake(request.Run) is { } name)
            _mistakes.Add(name);
        if (shared)
        {
            Check(!TrainFlags.Threads.IsGiven(result), "--threads is for a cluster of this machine's own, and the silos of --cluster " +
                "have theirs; leave it out.");
        }
        else
        {
            Check(threads >= 1, $"--threads is {threads}; give 1 or more.");
            Check(!request.Detach, "--detach is for --cluster, because a cluster of this machine's own ends with this command; give that " +
                "or leave it out.");
            CheckFolders(spec);
        }

        return request;
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
        Check(!TrainFlags.FocalGamma.IsGiven(result) || spec.Model.Objective == Objective.Focal || TrainFlags.FocalLoss.IsGiven(result),
            "--focal-gamma does nothing without --focal-loss; add that or leave it out.");
        Check(spec.Schedule.FinalLearningRate is null || spec.Schedule.FinalLearningRate <= spec.Schedule.LearningRate,
            $"--final-lr is {spec.Schedule.FinalLearningRate}, above --learning-rate {spec.Schedule.LearningRate}; give less.");
        Check(spec.Limits.MaxSteps is null || spec.Schedule.WarmupSteps < spec.Limits.MaxSteps,
            $"--warmup is {spec.Schedule.WarmupSteps}, and the run ends after --max-steps {spec.Limits.MaxSteps}; give less.");
        Check(!TrainFlags.ImageSize.IsGiven(result) || spec.Data.DataSet is DataSet.ImageNet or DataSet.Folder,
            "--image-size is for --data-set imagenet and folder; the images of other data sets have one size, so leave it out.");
    }

    private void CheckFolders(RunSpec spec)
    {
        string? newest = CheckpointHeader.Newest(spec.Output.SaveDir)
            ?? (CheckpointHeader.NewestFirst(spec.Output.SaveDir) is [var diverged, ..] ? diverged : null);
        Check(newest is null || newest == spec.Output.LoadParams, spec.Output.LoadParams is null
            ? $"--save-dir {spec.Output.SaveDir} holds the checkpoints of another run; add --load-params to continue it, or name another " +
                $"folder."
            : $"--save-dir {spec.Output.SaveDir} holds {Path.GetFileName(newest)}, which --load-params would not continue; name another " +
                $"folder.");
        Check(!spec.Model.ClassConditional || spec.Data.DataSet != DataSet.Folder || HasClasses(spec.Data.DataDir),
            $"--class-conditional needs labels, and --data-dir {spec.Data.DataDir} has no folder per class; make those or leave the flag " +
            $"out.");
        Check(!File.Exists(spec.Output.SaveDir), $"--save-dir {spec.Output.SaveDir} is a file; name a folder.");
    }

    /// <summary>Whether a folder of images has sub-folders for classes; one that is missing is reported elsewhere.</summary>
    private static bool HasClasses(string folder)
    {
        string train = Path.Combine(folder, "train");
        return !Directory.Exists(folder) || Directory.EnumerateDirectories(Directory.Exists(train) ? train : folder).Any();
    }

    /// <summary>
    /// The checkpoint file that --load-params means, or null when there is none to load: absolute on this machine, and for a shared
    /// cluster as it was given, be it a file or, where this machine does not see it, anything.
    /// </summary>
    private string? Checkpoint(ParseResult result, bool shared)
    {
        string? place = null;
        if (TrainFlags.LoadParams.IsBare(result))
        {
            Check(TrainFlags.SaveDir.TryRead(result, [], out place), "--load-params has no value; name a checkpoint, or with --save-dir " +
                "the folder whose newest is taken.");
        }
        else
        {
            TrainFlags.LoadParams.TryRead(result, _mistakes, out place);
        }

        if (place is null)
            return null;
        string? path = File.Exists(place) ? place : CheckpointHeader.Newest(place);
        if (shared)
            return path ?? place;
        Check(path is not null, Directory.Exists(place)
            ? $"--load-params finds no checkpoint (step-*.safetensors) in {place}; name another file or folder."
            : $"--load-params is {place}, which does not exist; name a checkpoint file or a folder that holds some.");
        return path is null ? null : Path.GetFullPath(path);
    }

    /// <summary>Settings of the run that wrote the checkpoint.</summary>
    /// <param name="needed">Nothing else says how to train.</param>
    private RunSpec Settings(string checkpoint, bool shared, bool needed)
    {
        try
        {
            if (!shared || File.Exists(checkpoint))
                return CheckpointHeader.Read(checkpoint).Spec;
            Check(!needed, $"--load-params is {checkpoint}, whose settings cannot be read on this machine; give them by flags, beginning " +
                $"with --data-set or --preset.");
        }
        catch (UserErrorException mistake)
        {
            _mistakes.Add(mistake.Message);
        }

        return new RunSpec();
    }

    private string DefaultSaveDir(DataSet dataSet) =>
        Path.Combine("runs", string.Create(CultureInfo.InvariantCulture, $"{now:yyyyMMdd-HHmmss}-{dataSet.ToString().ToLowerInvariant()}"));
}
