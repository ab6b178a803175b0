using System.Net;
using System.Net.Http.Headers;
using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Pages;

/// <summary>Who may read a silo's pages, and that its secrets are told to nobody.</summary>
public sealed class PageGuardTests() : ClusterTests(new() { Access = new(RedisPassword: Password), HasPages = true }, isOwn: true)
{
    private const string Token = "correct-horse-battery", Password = "battery-staple";

    [Fact]
    public async Task Beyond_loopback_pages_ask_for_the_token_and_secrets_are_told_nowhere()
    {
        Cluster.Environment["Silo__HttpAddress"] = "0.0.0.0";
        Cluster.Environment["Silo__HttpToken"] = Token;
        // As an operator who looks for something has it.
        Cluster.Environment["Logging__LogLevel__Default"] = "Information";
        await StartAsync("closed");
        Cluster.Fleet.Environment["Silo__OpenMetrics"] = "true";
        await Cluster.Fleet.StartAsync("open");
        using var browser = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, CookieContainer = new CookieContainer() });
        string setCookie = "", location = "";

        UserErrorException mistake = await Assert.ThrowsAsync<UserErrorException>(
            () => SharedCluster.ConnectAsync(new(Cluster.Redis.Address), TestContext.Current.CancellationToken));
        Assert.Contains("PIXELCNN_REDIS_PASSWORD", mistake.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, await AskAsync("closed", "/health/live"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync("closed", "/health/ready"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync("closed", "/metrics"));
        foreach (string page in new[] { "/", "/page.js", "/api/cluster", "/orleans/", "/orleans/DashboardCounters" })
            Assert.Equal((page, HttpStatusCode.Unauthorized), (page, await AskAsync("closed", page)));
        Assert.Equal(HttpStatusCode.OK, await AskAsync("open", "/metrics"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync("open", "/"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync("closed", "/metrics", bearer: Token));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync("closed", "/metrics", bearer: Token + "s"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync("closed", "/metrics?token=guess"));
        Assert.Equal(HttpStatusCode.Redirect, await AskAsync("closed", $"/metrics?token={Token}"));
        // The browser has the cookie now, and shows it when it comes by a link from elsewhere.
        Assert.Contains("samesite=lax", setCookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(Token, setCookie, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, await AskAsync("closed", "/metrics"));
        Assert.Equal(HttpStatusCode.Redirect, await AskAsync("closed", $"/metrics?token={Token}"));
        Assert.Equal("/metrics", location);
        Assert.Equal(HttpStatusCode.Redirect, await AskAsync("closed", $"/%5Cevil.example/%C3%A4?token={Token}"));
        Assert.Equal("/evil.example/%C3%A4", location);

        FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Spec with
        {
            Limits = UndisturbedRun.Spec.Limits with { MaxSteps = 3 },
        });
        await run.EndAsync();
        string metrics =
            await (await Cluster.Fleet.GetAsync("open", "/metrics")).Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        string told = string.Concat(Cluster.Fleet.Silos.Select(silo => File.ReadAllText(silo.LogPath))) + metrics
            + string.Join('\n', run.Events)
            + string.Concat(Cluster.Fleet.Silos.Select(silo => File.ReadAllText($"/proc/{silo.Id}/cmdline")));
        Assert.All([Token, Password], secret => Assert.DoesNotContain(secret, told, StringComparison.Ordinal));
        Assert.Contains("Silo:Name=open", told, StringComparison.Ordinal);

        async Task<HttpStatusCode> AskAsync(string silo, string page, string? bearer = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Cluster.Fleet.HttpOf(silo)}{page}");
            request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
            HttpResponseMessage answer = await browser.SendAsync(request);
            if (answer.Headers.TryGetValues("Set-Cookie", out IEnumerable<string>? cookies))
                setCookie = string.Join('\n', cookies);
            location = answer.Headers.Location?.OriginalString ?? "";
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task On_loopback_pages_are_open_to_this_machine_by_its_own_names_and_change_nothing()
    {
        await StartAsync("worker-0");
        using var browser = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, await AskAsync("localhost"));
        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync("pixelcnn.example.com"));
        using HttpResponseMessage posted = await browser.PostAsync(
            new Uri($"http://{Cluster.Fleet.HttpOf("worker-0")}/metrics"), new StringContent("x"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);

        // What a page elsewhere loads, and what somebody follows a link to.
        Assert.Equal(HttpStatusCode.Forbidden, await FetchAsync("cross-site", "no-cors", "image"));
        Assert.Equal(HttpStatusCode.Forbidden, await FetchAsync("cross-site", "navigate", "iframe"));
        Assert.Equal(HttpStatusCode.OK, await FetchAsync("cross-site", "navigate", "document"));
        Assert.Equal(HttpStatusCode.OK, await FetchAsync("same-origin", "cors", "empty"));

        Cluster.Fleet.Environment["Silo__HttpAddress"] = "127.0.0.2";
        await Cluster.Fleet.StartAsync("worker-1");
        string page = $"http://127.0.0.2:{Cluster.Fleet.HttpOf("worker-1").Split(':')[1]}/metrics";
        Assert.Equal(HttpStatusCode.OK, (await browser.GetAsync(new Uri(page), TestContext.Current.CancellationToken)).StatusCode);

        async Task<HttpStatusCode> FetchAsync(string site, string mode, string destination)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Cluster.Fleet.HttpOf("worker-0")}/metrics");
            request.Headers.Add("Sec-Fetch-Site", site);
            request.Headers.Add("Sec-Fetch-Mode", mode);
            request.Headers.Add("Sec-Fetch-Dest", destination);
            HttpResponseMessage answer = await browser.SendAsync(request);
            Assert.Equal("same-origin", Assert.Single(answer.Headers.GetValues("Cross-Origin-Resource-Policy")));
            return answer.StatusCode;
        }

        async Task<HttpStatusCode> AskAsync(string host)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Cluster.Fleet.HttpOf("worker-0")}/metrics");
            request.Headers.Host = host;
            return (await browser.SendAsync(request)).StatusCode;
        }
    }

    [Fact]
    public async Task Paths_outside_of_the_folders_are_refused()
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-outside-").FullName;
        try
        {
            Cluster.Environment["Silo__Folders"] = Cluster.Folder;
            await StartAsync("worker-0");
            FollowedRun run = await Cluster.SubmitAsync("run", UndisturbedRun.Spec with
            {
                Limits = UndisturbedRun.Spec.Limits with { MaxSteps = 3 },
            });
            await run.EndAsync();
            Directory.CreateSymbolicLink(Path.Combine(Cluster.Folder, "link"), folder);
            Grains grains = Cluster.Fleet.Grains;
            ModelInfo model = await grains.Models().FindAsync("run");
            foreach (string outside in new[] { folder, Path.Combine(Cluster.Folder, "..", Path.GetFileName(folder)),
                Path.Combine(Cluster.Folder, "link") })
            {
                await RefusedAsync(() => grains.Cluster.SubmitAsync("other", run.Spec with
                {
                    Output = run.Spec.Output with { SaveDir = Path.Combine(outside, "other") },
                }));
                await RefusedAsync(
                    () => grains.Cluster.SubmitAsync(
                        "other", run.Spec with
                        {
                            Data = run.Spec.Data with { DataDir = outside },
                            Output = run.Spec.Output with { SaveDir = Path.Combine(Cluster.Folder, "other") },
                        }));
                await RefusedAsync(() => grains.Run("other").BeginAsync(run.Spec with
                {
                    Output = run.Spec.Output with { SaveDir = Path.Combine(outside, "other") },
                }));
                await RefusedAsync(() => grains.Models().FindAsync(outside + "/"));
                await RefusedAsync(() => grains.Models().ExportAsync(model, Path.Combine(outside, "weights.pth")));
                await RefusedAsync(
                    () => grains.Models().ImportAsync(
                        Path.Combine(outside, "weights.pth"), Path.Combine(Cluster.Folder, "imported"), null));
                await RefusedAsync(() => grains.Models().ImportAsync(model.Path, Path.Combine(outside, "imported"), null));
                JobEnded ended = await new FollowedJob(
                    grains.Job(Guid.NewGuid()),
                    new ScoreJob { Model = model, Count = 1, DataSet = new(DataSet.Mnist, outside, Train: false) })
                    .NextAsync<JobEnded>(_ => true, "its end");
                Assert.True(ended.UserError);
                Assert.Contains("is outside of the folders", ended.Error, StringComparison.Ordinal);
            }

            Assert.Empty(Directory.GetFileSystemEntries(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private Task StartAsync(string silo)
    {
        Cluster.Environment["Silo__RedisPassword"] = Password;
        return Cluster.HealAsync(silo);
    }

    private static async Task RefusedAsync(Func<Task> ask) =>
        Assert.Contains("is outside of the folders", (await Assert.ThrowsAsync<UserErrorException>(ask)).Message, StringComparison.Ordinal);
}
