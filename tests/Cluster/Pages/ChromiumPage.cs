using System.Collections.Concurrent;
using PixelCnnCluster.Faults;
using PuppeteerSharp;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>A page in a headless Chromium of its own, and what it asked for and complained of.</summary>
public sealed class ChromiumPage : IAsyncDisposable
{
    private readonly IBrowser _browser;
    private readonly IPage _page;

    private ChromiumPage(IBrowser browser, IPage page)
    {
        (_browser, _page) = (browser, page);
        page.Request += (_, asked) => Requests.Add(new(asked.Request.Url));
        page.PageError += (_, fault) => Complaints.Add(fault.Message ?? "an error");
        page.Console += (_, said) =>
        {
            if (said.Message.Type is ConsoleType.Error or ConsoleType.Warning)
                Complaints.Add(said.Message.Text);
        };
    }

    public ConcurrentBag<Uri> Requests { get; } = [];

    /// <summary>Errors and warnings, among them violations of the content security policy.</summary>
    public ConcurrentBag<string> Complaints { get; } = [];

    public static async Task<ChromiumPage> OpenAsync(string below, string address)
    {
        IBrowser browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            ExecutablePath = new[] { "chromium", "chromium-browser" }
                .SelectMany(name => Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, name)))
                .First(File.Exists),
            UserDataDir = Path.Combine(below, $"chromium-{Guid.NewGuid():N}"),
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync"],
            DefaultViewport = new ViewPortOptions { Width = 1440, Height = 900 },
        });
        var opened = new ChromiumPage(browser, await browser.NewPageAsync());
        await opened.GoToAsync(address);
        return opened;
    }

    public Task GoToAsync(string address) => _page.GoToAsync(address);

    /// <summary>Waits until a JavaScript expression is true.</summary>
    /// <param name="awaited">For the message if it does not become so.</param>
    public async Task SeesAsync(string expression, string awaited)
    {
        try
        {
            await _page.WaitForFunctionAsync($"() => {expression}", new WaitForFunctionOptions { Timeout = 0 })
                .WithinAsync(Deadline.Generous, awaited);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException(
                $"{late.Message} The page says: {await AskAsync<string>("document.body.innerText")} and complains: " +
                $"{string.Join(" | ", Complaints)}", late);
        }
    }

    /// <summary>Value of a JavaScript expression.</summary>
    public Task<T> AskAsync<T>(string expression) => _page.EvaluateExpressionAsync<T>(expression);

    /// <summary>Has the page on a screen of this size, whose owner likes this colour scheme.</summary>
    public async Task ShowAsync(int width, int height, string scheme)
    {
        await _page.SetViewportAsync(new ViewPortOptions { Width = width, Height = height });
        await _page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = scheme }]);
    }

    public ValueTask DisposeAsync() => _browser.DisposeAsync();
}
