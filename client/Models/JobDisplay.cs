using System.Text.Json;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace PixelCnnCluster.Client.Models;

/// <summary>
/// How far a job is: a bar and what is sampled so far in a terminal, lines on standard error in a log, JSON for programs.
/// </summary>
internal sealed class JobDisplay(bool json, TimeProvider time) : IDisposable
{
    /// <summary>Lines of the terminal that a picture leaves free.</summary>
    private const int LinesForBar = 4;

    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10), LiveInterval = TimeSpan.FromMilliseconds(200);

    private readonly TaskCompletionSource _end = new();
    private readonly bool _live = !json && Terminal.IsInteractive;
    private readonly long _begun = time.GetTimestamp();
    private LiveDisplayContext? _panel;
    private Task _panelEnded = Task.CompletedTask;
    private long _shownAt = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_begun);

    public void Note(string text)
    {
        string line = Printable.Of(text);
        if (_live)
            AnsiConsole.MarkupLineInterpolated($"[grey]{line}[/]");
        else if (!json)
            Console.Error.WriteLine(line);
    }

    /// <summary>Shows that so much of the job is done.</summary>
    /// <param name="done">From 0 to 1.</param>
    /// <param name="images">Shown above the bar in a terminal.</param>
    public void Show(string what, double done, ImageStack? images = null)
    {
        if (time.GetElapsedTime(_shownAt) < (_live ? LiveInterval : LogInterval))
            return;
        _shownAt = time.GetTimestamp();
        TimeSpan? left = done > 0 ? Elapsed * ((1 - done) / done) : null;
        if (json)
            Console.WriteLine(
                JsonSerializer.Serialize(
                    new { Event = "progress", Done = done, Seconds = Elapsed.TotalSeconds, SecondsLeft = left?.TotalSeconds },
                    ContractsJson.Options));
        else if (_live)
            Update(images is null ? Bar(what, done, left) : new Rows(Picture(images), Bar(what, done, left)));
        else
            Console.Error.WriteLine($"{what}: {Format.Number(100 * done, "0")} %, {Format.Duration(left)} left");
    }

    /// <summary>Images in the terminal, as many as fit; nothing elsewhere.</summary>
    public void Preview(ImageStack images)
    {
        if (_live)
            AnsiConsole.Write(Picture(images));
    }

    /// <summary>Takes the panel away and gives the cursor back.</summary>
    public void Dispose()
    {
        _end.TrySetResult();
        _panelEnded.GetAwaiter().GetResult();
    }

    private static Paragraph Picture(ImageStack images) =>
        HalfBlocks.Render(HalfBlocks.Grid(images, AnsiConsole.Profile.Width - 1, AnsiConsole.Profile.Height - LinesForBar));

    private static Markup Bar(string what, double done, TimeSpan? left) =>
        new($"{Markup.Escape(what)} [green]{Format.Bar(done, Math.Clamp(AnsiConsole.Profile.Width - 40, 10, 60))}[/] " +
            $"{Format.Number(100 * done, "0")} %, {Format.Duration(left)} left");

    private void Update(IRenderable panel)
    {
        if (_panel is null)
        {
            _panelEnded = AnsiConsole.Live(panel).AutoClear(true).StartAsync(context =>
            {
                _panel = context;
                return _end.Task;
            });
        }

        _panel?.UpdateTarget(panel);
    }
}
