using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Client.Models;

/// <summary>Scores images or a data set. Each command returns the exit code.</summary>
public static class ScoreCommand
{
    /// <summary>Images with their maps that a picture has room for.</summary>
    private const int MostMapped = 256;

    private const string DefaultDataDir = "data";

    public static Task<int> ScoreAsync(ParseResult result) => ModelSession.UseAsync(
        result,
        (request, mistakes) =>
        {
            var options = Options.Read(request, result, mistakes);
            bool isDataSet = ModelFlags.DataSet.IsGiven(result);
            if (isDataSet == options.Paths.Count > 0)
                mistakes.Add("score needs either images or a data set; name PNG or JPEG files, or give --data-set.");
            Flag[] ofDataSets = [ModelFlags.DataDir, ModelFlags.Train, ModelFlags.Limit];
            mistakes.AddRange(
                ofDataSets.Where(flag => !isDataSet && flag.IsGiven(result)).Select(
                    flag => $"{flag.Name} needs --data-set; add that or leave it out."));
            if (options.Csv && options.Json)
                mistakes.Add("--csv and --json exclude each other; leave one out.");
            if (options.Map is { IsPng: false })
                mistakes.Add($"--map is {options.Map.Path}; give a name that ends in .png.");
            if (options.Map is not null && (isDataSet ? options.Count : options.Paths.Count) is null or > MostMapped)
                mistakes.Add(
                    $"--map has room for {MostMapped} images; {(isDataSet ? $"give --count {MostMapped} or less" : "name fewer")}.");
            return options;
        },
        Job,
        async (session, model, options, job, stop) =>
        {
            using var display = new JobDisplay(options.Json, TimeProvider.System);
            Scores scores = await RunAsync(session, model, job, display, stop);
            if (options.Map is { } path)
            {
                (ImageStack Images, int Columns) map = scores.Map();
                path.WriteGrid(map.Images, map.Columns);
                display.Preview(map.Images);
            }

            var listing = new ScoreListing(Console.Out, scores, i => options.Paths.Count > 0 ? options.Paths[i] : $"{i}");
            if (options.Csv)
                listing.WriteCsv();
            else if (options.Json)
                listing.WriteJson();
            else
                listing.WriteLines();
            if (!options.Csv)
                WriteMean(scores, job, options.Json, display.Elapsed);
        });

    public static Task<int> EvaluateAsync(ParseResult result) => ModelSession.UseAsync(
        result,
        (request, mistakes) => Options.Read(request, result, mistakes),
        (model, options) => Job(model, options with { DataSet = options.DataSet ?? model.Spec.Data.DataSet }),
        async (session, model, options, job, stop) =>
        {
            using var display = new JobDisplay(options.Json, TimeProvider.System);
            WriteMean(await RunAsync(session, model, job, display, stop), job, options.Json, display.Elapsed);
        });

    private static ScoreJob Job(ModelInfo model, Options options)
    {
        options.Map?.Check(MostMapped);
        byte[]? images = null;
        DataSetHalf? half = null;
        if (options.DataSet is { } dataSet)
        {
            string dataDir = options.DataDir ?? (dataSet == model.Spec.Data.DataSet ? model.Spec.Data.DataDir : DefaultDataDir);
            half = new(dataSet, options.IsLocal ? Path.GetFullPath(dataDir) : dataDir, options.Train);
        }
        else
        {
            images = [.. options.Paths.SelectMany(path => PictureFile.Read(path, model.Channels, model.Size))];
        }

        return new ScoreJob
        {
            Model = model,
            Count = half is null ? options.Paths.Count : options.Count ?? int.MaxValue,
            Batch = options.Batch,
            Images = images,
            Class = options.Class,
            DataSet = half,
            Maps = options.Map is not null,
        }.Checked();
    }

    private static async Task<Scores> RunAsync(
        ClusterSession session, ModelInfo model, ScoreJob job, JobDisplay display, CancellationToken stop)
    {
        if (session.IsLocal && job.DataSet is { } half)
            await DataSetDownload.EnsureAsync(half.DataSet, half.DataDir, new DownloadReporter(ShowDownload), stop);
        var scores = new Scores(model);
        display.Note(string.Create(CultureInfo.InvariantCulture, $"Scoring with {model.Path}, step {model.Step:N0}."));
        await ModelSession.DoAsync(session, job, ShowScores, stop);
        display.Dispose();
        return scores;

        void ShowDownload(DownloadProgress file) =>
            display.Show($"Downloading {file.File}", file.Total is { } total ? (double)file.Bytes / total : 0);

        void ShowScores(JobEvent e)
        {
            scores.Add(e);
            display.Show("Scoring", scores.Done);
            JobText.Note(e, display);
        }
    }

    /// <exception cref="InvalidDataException">The model has diverged.</exception>
    private static void WriteMean(Scores scores, ScoreJob job, bool json, TimeSpan took)
    {
        if (!double.IsFinite(scores.MeanBitsPerDim))
        {
            throw new InvalidDataException(
                $"{job.Model.Path} has diverged: its score is not finite. Name an earlier checkpoint with --model.");
        }

        double speed = scores.Count / took.TotalSeconds;
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Event = "scored",
                    Images = scores.Count,
                    BitsPerDim = scores.MeanBitsPerDim,
                    scores.StandardError,
                    job.DataSet?.DataSet,
                    job.DataSet?.Train,
                    Model = job.Model.Path,
                    job.Model.Step,
                    Seconds = took.TotalSeconds,
                    ImagesPerS = speed,
                },
                ContractsJson.Options));
            return;
        }

        string images = job.DataSet is { } half ? $"{(half.Train ? "training" : "test")} images of {Format.Name(half.DataSet)}" : "images";
        string error = scores.StandardError is { } deviation ? $" ± {Format.Number(deviation, "0.000")}" : "";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Format.Bits(scores.MeanBitsPerDim)}{error} bits/dim over {scores.Count:N0} {images}, in {Format.Duration(took)} " +
            $"({Format.Speed(speed)})"));
    }

    private sealed record Options
    {
        public required IReadOnlyList<string> Paths { get; init; }

        public DataSet? DataSet { get; init; }

        public string? DataDir { get; init; }

        public bool Train { get; init; }

        /// <summary>At most so many images of the data set; null for all.</summary>
        public int? Count { get; init; }

        public int? Class { get; init; }

        public int? Batch { get; init; }

        public PictureOutput? Map { get; init; }

        public bool Csv { get; init; }

        public bool Json { get; init; }

        /// <summary>The cluster is one of this machine's own.</summary>
        public bool IsLocal { get; init; }

        public static Options Read(ModelRequest request, ParseResult result, ICollection<string> mistakes) => new()
        {
            Paths = request.Words,
            DataSet = ModelFlags.DataSet.TryRead(result, mistakes, out DataSet dataSet) ? dataSet : null,
            DataDir = ModelRequest.Text(result, ModelFlags.DataDir, mistakes),
            Train = ModelFlags.Train.IsGiven(result),
            Count = ModelRequest.Number(result, ModelFlags.Limit, mistakes),
            Class = ModelRequest.Number(result, ModelFlags.ScoredClass, mistakes),
            Batch = ModelRequest.Number(result, ModelFlags.Batch, mistakes),
            Map = ModelRequest.Text(result, ModelFlags.Map, mistakes) is { } map ? new(map, ModelFlags.Map.Name) : null,
            Csv = ModelFlags.Csv.IsGiven(result),
            Json = request.Json,
            IsLocal = request.Cluster is null,
        };
    }
}
