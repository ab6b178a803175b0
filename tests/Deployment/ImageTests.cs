using System.Diagnostics;
using System.Text.RegularExpressions;
using k8s.Models;
using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>What the image is made of, published by its own command and used as in a pod. No container engine is needed.</summary>
[Trait("Needs", "processes")]
public sealed partial class ImageTests : IDisposable
{
    private static readonly string Dockerfile = Repository.Read("Dockerfile");

    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-image-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_published_console_trains_with_the_silo_below_it_and_samples()
    {
        // Built along with these tests, and linked rather than copied: the libraries are half a gigabyte.
        string[] publish = Publish().Match(Dockerfile).Groups["arguments"].Value.Split(' ');
        await RunAsync(
            "dotnet",
            [.. publish.Select(part => part == "/app" ? $"{_folder}/app" : part), "--no-build",
                "-p:CreateHardLinksForPublishFilesIfPossible=true"], Repository.Root);

        Assert.True(File.Exists(InFolder(Entry().Match(Dockerfile).Groups["program"].Value)), "the image's entry point is published");
        Match link = Link().Match(Dockerfile);
        string console = Path.Combine(_folder, Path.GetFileName(link.Groups["name"].Value));
        File.CreateSymbolicLink(console, InFolder(link.Groups["program"].Value));
        string[] few =
        [
            "--data-set", "mnist", "--data-dir", SmallDigits.Write(_folder), "--nr-filters", "2", "--nr-logistic-mix", "1", "--batch-size",
            "2", "--shards", "2",
            "--init-batch-size", "2", "--num-samples", "1",
        ];
        await RunAsync(console, ["train", "--max-steps", "2", "--workers", "1", "--save-dir", "run", .. few], _folder);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(_folder, "run"), "samples-*.png"));
    }

    [Fact]
    public void The_bases_are_exact_and_of_this_frameworks_and_the_user_is_that_of_the_pods()
    {
        string[] bases = [.. Base().Matches(Dockerfile).Select(match => match.Groups["image"].Value)];
        Assert.Equal(2, bases.Length);
        Assert.All(
            bases, image => Assert.Matches($@"^mcr\.microsoft\.com/dotnet/(sdk|aspnet):{Environment.Version.Major}\.0\.\d+-noble$", image));
        Assert.Matches(@"\nUSER \$APP_UID\nSTOPSIGNAL SIGTERM\nENTRYPOINT ", Dockerfile);
        // APP_UID of the base, and its group.
        V1PodSecurityContext security = Manifests.Parse(Manifests.Render("base")).Silos.Pod().SecurityContext;
        Assert.Equal((1654, 1654, 1654), (security.RunAsUser, security.RunAsGroup, security.FsGroup));
    }

    /// <summary>Where a path of the image is here.</summary>
    private string InFolder(string path) => _folder + path;

    private static async Task RunAsync(string program, string[] arguments, string at)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = at,
                RedirectStandardOutput = true,
                RedirectStandardError = true
            })!;
        using var deadline = new CancellationTokenSource(Deadline.Generous);
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync(deadline.Token);
            string output = await process.StandardOutput.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            Assert.True(
                process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {output}{await error}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {arguments[0]} did not end within {Deadline.Generous}.");
        }
    }

    [GeneratedRegex(@"dotnet (?<arguments>publish .*) -p:TorchCuda")]
    private static partial Regex Publish();

    [GeneratedRegex("ENTRYPOINT \\[\"dotnet\", \"(?<program>.+)\"\\]")]
    private static partial Regex Entry();

    [GeneratedRegex(@"RUN ln -s (?<program>\S+) (?<name>\S+)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^FROM (?<image>\S+)", RegexOptions.Multiline)]
    private static partial Regex Base();
}
