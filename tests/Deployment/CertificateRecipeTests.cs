using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>The commands of docs/kubernetes.md make certificates that silos take, with an authority apart from its members.</summary>
[Trait("Needs", "processes")]
public sealed partial class CertificateRecipeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-recipe-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_commands_make_an_authority_and_a_member()
    {
        string[] commands = [.. Command().Matches(Repository.Read("docs/kubernetes.md")).Select(match => match.Groups["command"].Value)];
        using Process shell = Process.Start(
            new ProcessStartInfo(
                "bash", ["-euo", "pipefail", "-c", string.Join('\n', commands)])
            {
                WorkingDirectory = _folder,
                RedirectStandardError = true
            })!;
        string error = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(shell.ExitCode == 0, error);

        ClusterCertificates.Open(_folder);
        using X509Certificate2 member = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, "tls.crt"));
        using X509Certificate2 authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_folder, "ca.crt"));
        Assert.Equal((authority.Subject, authority.Subject), (member.Issuer, authority.Issuer));
        Assert.NotEqual(authority.Subject, member.Subject);
        Assert.DoesNotContain(member.Extensions.OfType<X509BasicConstraintsExtension>(), constraints => constraints.CertificateAuthority);
    }

    /// <summary>Whoever follows the documents in the repository's folder does not publish a key with the next commit.</summary>
    [Theory]
    [InlineData("ca.key", "ca.crt", "tls.key", "tls.crt")]
    [InlineData("digits/000000.png", "digits.png", "completed.png", "samples.npz", "mine.pth", "name.safetensors", "runs/a/step.held")]
    public async Task What_the_documents_make_is_not_committed(params string[] names)
    {
        using Process git = Process.Start(
            new ProcessStartInfo("git", ["check-ignore", "--no-index", .. names])
            {
                WorkingDirectory = Repository.Root,
                RedirectStandardOutput = true,
            })!;
        string ignored = await git.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await git.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(names, ignored.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [GeneratedRegex(@"^    (?<command>openssl req .*)$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
