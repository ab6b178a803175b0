using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Models;

/// <summary>Moves weights between checkpoints and other programs' files. Each command returns the exit code.</summary>
public static class WeightsCommand
{
    public static Task<int> ExportAsync(ParseResult result) => ModelSession.UseAsync(
        result,
        (request, mistakes) =>
            new { Output = ModelRequest.Text(result, ModelFlags.WeightsOutput, mistakes), request.Json, request.Cluster },
        (model, options) => PathFor(options.Cluster, options.Output ?? $"{model.Run}.safetensors"),
        async (session, model, options, path, stop) =>
        {
            ExportedWeights written = await session.Grains.Models().ExportAsync(model, path).WaitAsync(stop);
            Console.WriteLine(options.Json
                ? JsonSerializer.Serialize(
                    new { Event = "exported", written.Path, written.Step, written.Tensors, written.Bytes, Model = model.Path },
                    ContractsJson.Options)
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{written.Tensors:N0} tensors of {model.Path}, step {written.Step:N0}, are in {written.Path} " +
                    $"({written.Bytes / 1e6:0.0} MB)."));
        });

    public static Task<int> ImportAsync(ParseResult result) => ModelSession.RunAsync(
        result,
        (request, mistakes) =>
        {
            if (request.Words.Count != 1)
                mistakes.Add($"import takes one file of weights and was given {request.Words.Count}; name a .safetensors or .pth file.");
            return new
            {
                SaveDir = ModelRequest.Text(result, ModelFlags.SaveDir, mistakes),
                Size = ModelRequest.Number(result, ModelFlags.ImageSize, mistakes),
            };
        },
        async (request, options, stop) =>
        {
            string file = request.Words[0];
            string saveDir = options.SaveDir ?? Path.Combine(ModelSession.RunsDir, Path.GetFileNameWithoutExtension(file));
            await using ClusterSession session = await ClusterSession.OpenAsync(request.Cluster, stop);
            ModelInfo model = await session.Grains.Models().ImportAsync(
                PathFor(request.Cluster, file), PathFor(request.Cluster, saveDir), options.Size).WaitAsync(stop);
            if (request.Json)
            {
                Console.WriteLine(
                    JsonSerializer.Serialize(
                        new { Event = "imported", model.Path, model.Channels, model.Size, model.Classes, model.Spec },
                        ContractsJson.Options));
                return;
            }

            (Prompt prompt, string folder) = (Prompt.For(request.Cluster), Prompt.Quote(Path.GetDirectoryName(model.Path)!));
            string[] lines =
            [
                $"{file} is now {model.Path}: images of {model.Size}x{model.Size} with {model.Channels} channels, " +
                $"{Format.Summary(model.Spec)}.",
                .. Format.Row("train on", prompt.Command($"train --load-params {folder}")),
                .. Format.Row("sample", prompt.Command($"sample --model {folder}")),
            ];
            foreach (string line in lines)
                Console.WriteLine(line);
        });

    /// <summary>A shared cluster's paths are the silos' own.</summary>
    private static string PathFor(ClusterAddress? cluster, string path) => cluster is null ? Path.GetFullPath(path) : path;
}
