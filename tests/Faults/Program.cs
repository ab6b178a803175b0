using System.CommandLine;
using PixelCnnCluster.Faults;

var minutes = new Option<double>("--minutes") { Description = "How long the run is disturbed.", DefaultValueFactory = _ => 5 };
var seed = new Option<int>("--seed") { Description = "Which faults come when.", DefaultValueFactory = _ => 1 };
var command = new RootCommand("Disturbs a run of three silos and tells whether it ended in the state of an undisturbed one.") { minutes, seed };
command.SetAction(async (result, _) =>
{
    string folder = Directory.CreateTempSubdirectory("pixelcnn-chaos-").FullName;
    ChaosReport report = await new Chaos(folder, Path.Combine(folder, "logs"), result.GetValue(seed), Console.Error).RunAsync(TimeSpan.FromMinutes(result.GetValue(minutes)));
    Console.WriteLine(report);
    if (!report.IsSame)
    {
        Console.Error.WriteLine($"The logs are in {folder}.");
        return 1;
    }

    Directory.Delete(folder, recursive: true);
    return 0;
});
return await command.Parse(args).InvokeAsync();
