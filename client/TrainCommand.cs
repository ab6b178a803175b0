using System.CommandLine;
using PixelCnnCluster.Client.Arguments;

namespace PixelCnnCluster.Client;

/// <summary>Trains a model on a cluster of this machine's own.</summary>
public static class TrainCommand
{
    public static async Task<int> RunAsync(ParseResult result)
    {
        var reader = new TrainRequestReader(DateTimeOffset.Now, Environment.ProcessorCount);
        var request = reader.Read(result);
        if (reader.Mistakes.Count > 0)
            return Failure.Report(ExitCode.UserError, reader.Mistakes, request.Json);
        await Task.Yield();
        Console.WriteLine(request.Spec.ToJson());
        return ExitCode.Success;
    }
}
