using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Client.Models;

/// <summary>Samples images, or completes given ones. Each command returns the exit code.</summary>
public static class SampleCommand
{
    public static Task<int> SampleAsync(ParseResult result) => ModelSession.UseAsync(
        result,
        (_, mistakes) => Options.Read(result, mistakes, "samples", ModelFlags.Count, 16),
        (model, options) => options.Job(model, options.Count, given: null),
        RunAsync);

    public static Task<int> CompleteAsync(ParseResult result) => ModelSession.UseAsync(
        result,
        (request, mistakes) =>
        {
            if (request.Words.Count == 0)
                mistakes.Add("complete needs images; name PNG or JPEG files.");
            Options options = Options.Read(result, mistakes, "completed", ModelFlags.Completions, 4) with { Paths = request.Words };
            if (options.Count < 1)
                mistakes.Add($"--count is {options.Count}; give 1 or more.");
            return options;
        },
        (model, options) =>
        {
            byte[] images = [.. options.Paths.SelectMany(path => PictureFile.Read(path, model.Channels, model.Size))];
            bool[] mask = KeptPart.Read(options.Keep, model.Size);
            return options.Job(
                model, (int)Math.Min(int.MaxValue, (long)options.Count * options.Paths.Count), new(images, mask, options.Count));
        },
        RunAsync);

    private static async Task RunAsync(
        PixelCnnCluster.Client.Cluster.ClusterSession session, ModelInfo model, Options options, SampleJob job, CancellationToken stop)
    {
        var sampled = new SampledImages(model, job.Count);
        using (var display = new JobDisplay(options.Json, TimeProvider.System))
        {
            display.Note(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Sampling {job.Count} images of {model.Size}x{model.Size} from {model.Path}, step {model.Step:N0}."));
            await ModelSession.DoAsync(session, job, Show, stop);
            (ImageStack Images, int?) grid = job.Given is null ? (sampled.Images, null) : KeptPart.Grid(model, job.Given, sampled.Images);
            int[]? labels = model.Classes == 0 ? null : [.. Enumerable.Range(0, job.Count).Select(i => job.Class ?? i % model.Classes)];
            options.Output.Write(sampled.Images, labels, grid, options.Name);
            TimeSpan took = display.Elapsed;
            display.Dispose();
            display.Preview(grid.Item1);
            Console.WriteLine(options.Json
                ? JsonSerializer.Serialize(
                    new
                    {
                        Event = "drawn",
                        options.Output.Path,
                        job.Count,
                        job.Seed,
                        Model = model.Path,
                        model.Step,
                        Seconds = took.TotalSeconds,
                        ImagesPerS = job.Count / took.TotalSeconds,
                    },
                    ContractsJson.Options)
                : $"{job.Count} images in {Format.Duration(took)} ({Format.Speed(job.Count / took.TotalSeconds)}), seed {job.Seed}: " +
                    $"{options.Output.Path}");

            void Show(JobEvent e)
            {
                if (e is RowSampled row)
                {
                    sampled.Add(row);
                    display.Show("Sampling", sampled.Done, sampled.Images);
                }

                JobText.Note(e, display);
            }
        }
    }

    private sealed record Options
    {
        public required int Count { get; init; }

        public int? Batch { get; init; }

        public required ulong Seed { get; init; }

        public int? Class { get; init; }

        public required double MixtureTemperature { get; init; }

        public required double LogisticTemperature { get; init; }

        public required string Keep { get; init; }

        /// <summary>Of the images to complete.</summary>
        public IReadOnlyList<string> Paths { get; init; } = [];

        public required PictureOutput Output { get; init; }

        public bool Json { get; init; }

        public static Options Read(ParseResult result, ICollection<string> mistakes, string what, Valued<int> count, int usual) => new()
        {
            Count = ModelRequest.Value(result, count, mistakes, usual),
            Batch = ModelRequest.Number(result, ModelFlags.Batch, mistakes),
            Seed = ModelRequest.Value(result, ModelFlags.Seed, mistakes, 1UL),
            Class = ModelRequest.Number(result, ModelFlags.Class, mistakes),
            MixtureTemperature = ModelRequest.Value(result, ModelFlags.MixtureTemperature, mistakes, 1.0),
            LogisticTemperature = ModelRequest.Value(result, ModelFlags.LogisticTemperature, mistakes, 1.0),
            Keep = ModelRequest.Value(result, ModelFlags.Keep, mistakes, KeptPart.Top),
            Output = ModelRequest.Text(result, ModelFlags.Output, mistakes) is { } path ? new(path, ModelFlags.Output.Name)
                : PictureOutput.Default(what, DateTimeOffset.Now),
            Json = CommonFlags.Json.IsGiven(result),
        };

        public SampleJob Job(ModelInfo model, int count, GivenPixels? given)
        {
            SampleJob job = new SampleJob
            {
                Model = model,
                Count = count,
                Batch = Batch,
                Seed = Seed,
                Class = Class,
                MixtureTemperature = MixtureTemperature,
                LogisticTemperature = LogisticTemperature,
                Given = given,
            }.Checked();
            Output.Check(count);
            return job;
        }

        /// <summary>File name of image number i.</summary>
        public string Name(int i) => Paths.Count == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{i:D6}")
            : string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(Paths[i / Count])}-{i / Count}-{i % Count}");
    }
}
