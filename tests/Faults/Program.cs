using System.CommandLine;
using System.Globalization;
using PixelCnnCluster.Faults;

var minutes = new Option<double>("--minutes") { Description = "How long the run is disturbed.", DefaultValueFactory = _ => 5 };
var seed = new Option<int>("--seed") { Description = "Which faults come when.", DefaultValueFactory = _ => 1 };
var command = new RootCommand(
    "Disturbs a run of three silos and tells whether it ended in the state of an undisturbed one.") { minutes, seed };
command.SetAction(async (result, _) =>
{
    string folder = Directory.CreateTempSubdirectory("pixelcnn-chaos-").FullName;
    ChaosReport report = await new Chaos(
        folder, Path.Combine(folder, "logs"), result.GetValue(seed),
        Console.Error).RunAsync(TimeSpan.FromMinutes(result.GetValue(minutes)));
    Console.WriteLine(report);
    if (!report.IsSame)
    {
        Console.Error.WriteLine($"The logs are in {folder}.");
        return 1;
    }

    Directory.Delete(folder, recursive: true);
    return 0;
});

var times = new Option<int>("--times") { Description = "How many workers are killed.", DefaultValueFactory = _ => 20 };
var kills = new Command("kills", "Kills workers, one after another, and tells how soon the others train again.") { times };
kills.SetAction(async (result, _) =>
{
    string folder = Directory.CreateTempSubdirectory("pixelcnn-kills-").FullName;
    double[] seconds = [.. (await new KillTimes(folder, Path.Combine(folder, "logs")).MeasureAsync(result.GetValue(times))).Select(time =>
        time.TotalSeconds).Order()];
    Console.WriteLine(
        string.Create(
            CultureInfo.InvariantCulture,
            $"{seconds.Length} kills: {seconds[seconds.Length / 2]:F2} s median, {seconds[0]:F2} to {seconds[^1]:F2} s"));
    Directory.Delete(folder, recursive: true);
});
command.Subcommands.Add(kills);
return await command.Parse(args).InvokeAsync();
