using System.Net;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>The silos' page in a real browser.</summary>
public sealed class PageTests() : ClusterTests(new() { HasPages = true }, isOwn: true)
{
    /// <summary>Text whose contrast with what is behind it is under 4.5, the least that WCAG asks for.</summary>
    private const string FaintTexts = """
        (() => {
          const parse = colour => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
          const luminance = rgb => rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const behind = element => { for (; element; element = element.parentElement) { const { rgb, a } = parse(getComputedStyle(element).backgroundColor); if (a > 0) return rgb; } };
          return [...document.querySelectorAll("body *")]
            .filter(element => element.checkVisibility() && [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()))
            .map(element => {
              const [dark, light] = [luminance(parse(getComputedStyle(element).color).rgb), luminance(behind(element))].sort((a, b) => a - b);
              return { text: element.textContent, contrast: (light + 0.05) / (dark + 0.05) };
            })
            .filter(({ contrast }) => !(contrast >= 4.5)).map(({ text, contrast }) => `${text}: ${contrast}`);
        })()
        """;

    private static readonly string[] Three = ["worker-0", "worker-1", "worker-2"];

    [Fact]
    public async Task A_run_trains_samples_and_loses_a_worker_before_ones_eyes()
    {
        await Cluster.HealAsync(Three);
        string origin = $"http://{Cluster.Fleet.HttpOf(Three[0])}";
        await using ChromiumPage page = await ChromiumPage.OpenAsync(Cluster.Folder, $"{origin}/");
        await page.SeesAsync("document.body.innerText.includes('No run yet. Start one with')", "a sentence that there is no run");
        await page.SeesAsync("document.querySelectorAll('.worker').length === 3", "three workers");

        const string Name = "a <b>bold<b> run";
        FollowedRun run = await Cluster.SubmitAsync(Name, UndisturbedRun.Endless with
        {
            Output = UndisturbedRun.Endless.Output with { Samples = 4 },
            Compute = UndisturbedRun.Endless.Compute with { Workers = 3 },
        });
        await page.SeesAsync(
            $"document.querySelector('#runs .run .name')?.textContent === '{Name}' && document.querySelector('#run-name').textContent " +
            $"=== '{Name}'", "the run's name as it is");
        await page.SeesAsync("document.querySelector('#score-chart').dataset.points >= 5", "five steps of the curve");
        int points = await page.AskAsync<int>("Number(document.querySelector('#score-chart').dataset.points)");
        await page.SeesAsync($"document.querySelector('#score-chart').dataset.points > {points}", $"more than {points} steps of the curve");
        await page.SeesAsync(
            "/^\\d\\.\\d{3}$/.test([...document.querySelectorAll('.figure')].find(figure => " +
            "figure.textContent.startsWith('Test')).querySelector('dd').textContent)", "a test score");
        await page.SeesAsync("document.querySelector('#samples').naturalWidth > 0", "the picture of the samples");
        await page.SeesAsync("document.querySelector('#run-state').textContent === 'training'", "the run's state");
        Assert.True(Cluster.WasStarved || page.Complaints.IsEmpty, string.Join('\n', page.Complaints));

        foreach ((int width, int height) in new[] { (1440, 900), (390, 844) })
        {
            List<string> grounds = [];
            foreach (string scheme in new[] { "light", "dark" })
            {
                await page.ShowAsync(width, height, scheme);
                Assert.Empty(await page.AskAsync<string[]>(FaintTexts));
                Assert.False(
                    await page.AskAsync<bool>("document.documentElement.scrollWidth > document.documentElement.clientWidth"),
                    $"The page is wider than {width} pixels.");
                grounds.Add(await page.AskAsync<string>("getComputedStyle(document.body).backgroundColor"));
            }

            Assert.NotEqual(grounds[0], grounds[1]);
        }

        string lost = Three.Skip(1).First(name => name != Cluster.Fleet.CoordinatorOf(run));
        Cluster.Fleet.Kill(lost);
        await page.SeesAsync(
            $"[...document.querySelectorAll('.worker')].some(worker => worker.textContent.startsWith('{lost}gone'))",
            $"that {lost} is gone");
        await page.SeesAsync(
            $"[...document.querySelectorAll('#events [data-event=generation] .text')].some(text => text.textContent.includes('2 of 3 " +
            $"workers') && text.textContent.includes('{lost}'))", $"an event that tells of {lost}");
        await page.ShowAsync(1440, 900, "light");
        Assert.All(page.Requests, asked => Assert.Equal(origin, asked.GetLeftPart(UriPartial.Authority)));
        // While the cluster finds out, it may not answer for a moment, which Chromium tells itself.
        Assert.True(
            Cluster.WasStarved
                || page.Complaints.All(complaint => complaint.Contains("503", StringComparison.Ordinal)),
                string.Join('\n', page.Complaints));

        Cluster.Fleet.Kill(Three[0]);
        await page.SeesAsync(
            "document.querySelector('#link').textContent === 'the silo does not answer; trying again'", "that the page has lost its silo");
    }

    [Fact]
    public async Task A_silo_shows_Orleans_own_dashboard_and_says_what_it_does_not_have()
    {
        await Cluster.HealAsync(Three[0]);
        string origin = $"http://{Cluster.Fleet.HttpOf(Three[0])}";
        await using ChromiumPage page = await ChromiumPage.OpenAsync(Cluster.Folder, $"{origin}/orleans/");
        await page.SeesAsync("document.body.innerText.includes('Methods with Most Calls')", "Orleans' dashboard");
        Assert.All(page.Requests, asked => Assert.Equal(origin, asked.GetLeftPart(UriPartial.Authority)));
        Assert.Empty(page.Complaints);

        await page.GoToAsync($"{origin}/#none");
        await page.SeesAsync(
            "document.querySelector('#run-error').textContent === 'There is no run named none; the command runs lists them.'",
            "a sentence that there is no such run");
        await page.GoToAsync($"{origin}/#50%");
        await page.SeesAsync(
            "document.querySelector('#run-error').textContent === 'There is no run named 50%; the command runs lists them.' && " +
            "document.querySelector('#link').textContent === 'live'", "a sentence about an address that is no encoded name");
        HttpResponseMessage nameless = await Cluster.Fleet.GetAsync(Three[0], "/api/events?run=&from=0");
        Assert.Equal(
            (HttpStatusCode.BadRequest, "Name a run: ?run=..."),
            (nameless.StatusCode, await nameless.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
    }
}
