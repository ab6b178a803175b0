using System.Text.Json;
using PixelCnnCluster.Contracts;
using Spectre.Console;
using static PixelCnnCluster.Client.Display.Format;

namespace PixelCnnCluster.Client.Display;

/// <summary>Lists what a cluster has: tables for people, one JSON object a line for programs.</summary>
/// <param name="now">When the cluster was asked.</param>
public sealed class ClusterListing(IAnsiConsole console, bool json, Prompt prompt, DateTimeOffset now)
{
    public void Runs(IReadOnlyList<RunOverview> runs) => List(
        runs, $"There is no run yet. Submit one: {prompt.Command("train")}",
        ["run", "state", "step", "bits/dim", "test bits/dim", "workers", "age", "data set"],
        run =>
        [
            run.Run, Name(run.State), Steps(run.Step, run.TotalSteps), Bits(run.BitsPerDim), Bits(run.TestBitsPerDim), Workers(run),
            Age(run), Name(run.DataSet),
        ]);

    public void Workers(IReadOnlyList<WorkerStatus> workers) => List(
        workers, "No worker is there.",
        ["worker", "device", "phase", "run", "generation", "step"],
        worker =>
        [
            worker.Worker, worker.Device, Name(worker.Phase), worker.Run ?? "–",
            worker.Run is null ? "–" : $"{worker.Generation}", worker.Run is null ? "–" : Steps(worker.Step, null),
        ]);

    /// <summary>The facts of one run, and what happened to it other than steps.</summary>
    public async Task ShowAsync(ITrainingRunGrain grain)
    {
        RunOverview run = await grain.OverviewAsync();
        IReadOnlyList<RunEvent> events = await NotableAsync(grain, run.Step);
        if (json)
        {
            WriteJson([run]);
            WriteJson(events);
            return;
        }

        IEnumerable<string> facts =
        [
            Printable.Of(run.Run),
            .. Row("state", run.Error is null ? Name(run.State) : $"{Name(run.State)}: {run.Error}"),
            .. Row("settings", events.OfType<RunStarted>().LastOrDefault() is { } started ? Summary(started.Spec) : Name(run.DataSet)),
            .. Row("step", Steps(run.Step, run.TotalSteps)),
            .. Row("bits/dim", run.BitsPerDim is null ? null : Bits(run.BitsPerDim)),
            .. Row("test bits/dim", run.TestBitsPerDim is null ? null : Bits(run.TestBitsPerDim)),
            .. Row("workers", $"{Workers(run)}{(run.Workers.Count > 0 ? $": {string.Join(", ", run.Workers)}" : "")}"),
            .. Row("age", Age(run)),
            .. Row("folder", run.SaveDir),
            "",
        ];
        foreach (string? line in facts.Concat(events.Select(EventText.Of)))
            console.Profile.Out.Writer.WriteLine(line);
    }

    /// <summary>Events that have a line of their own, up to where the run is now: a run that trains has always more to tell.</summary>
    private static async Task<IReadOnlyList<RunEvent>> NotableAsync(ITrainingRunGrain grain, long now)
    {
        (List<RunEvent> events, long next, long step) = (new List<RunEvent>(), 0L, -1L);
        while (true)
        {
            RunProgress progress = await grain.ReadAsync(next);
            next = progress.Next;
            step = progress.Events.OfType<StepCommitted>().LastOrDefault()?.Step ?? step;
            events.AddRange(progress.Events.Where(e => EventText.Of(e) is not null));
            if (progress.Over || progress.Events.Count == 0 || step >= now)
                return events;
        }
    }

    private void List<T>(IReadOnlyList<T> items, string none, string[] columns, Func<T, string[]> row)
    {
        if (json)
        {
            WriteJson(items);
            return;
        }

        if (items.Count == 0)
        {
            console.Profile.Out.Writer.WriteLine(none);
            return;
        }

        var table = new Table { Border = TableBorder.None };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(Color.Grey))) { Padding = new Padding(0, 0, 2, 0) });
        foreach (T item in items)
            table.AddRow(row(item).Select(cell => new Text(Printable.Of(cell))));
        console.Write(table);
    }

    /// <summary>Each with the properties of <typeparamref name="T"/>, so that events keep their kind.</summary>
    private void WriteJson<T>(IEnumerable<T> items)
    {
        foreach (T item in items)
            console.Profile.Out.Writer.WriteLine(JsonSerializer.Serialize(item, ContractsJson.Options));
    }

    private static string Workers(RunOverview run) => $"{run.Workers.Count} of {run.WorkersWanted}";

    private string Age(RunOverview run) => Duration(now - run.Submitted);
}
