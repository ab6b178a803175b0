using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Tests.Training;

public sealed class AllowedFoldersTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("pixelcnn-roots-").FullName;
    private readonly AllowedFolders allowed;

    public AllowedFoldersTests()
    {
        foreach (string name in new[] { "data/mnist/a/b", "runs", "other" })
            Directory.CreateDirectory(Path.Combine(folder, name));
        File.CreateSymbolicLink(Path.Combine(folder, "data/out"), "../other");
        File.CreateSymbolicLink(Path.Combine(folder, "data/away"), Path.Combine(folder, "other"));
        File.CreateSymbolicLink(Path.Combine(folder, "data/runs"), Path.Combine(folder, "runs"));
        File.CreateSymbolicLink(Path.Combine(folder, "data/deep"), Path.Combine(folder, "data/mnist"));
        File.CreateSymbolicLink(Path.Combine(folder, "data/deeper"), "mnist/a/b");
        File.CreateSymbolicLink(Path.Combine(folder, "data/up"), "deeper/../../new");
        File.CreateSymbolicLink(Path.Combine(folder, "data/up-and-out"), "deeper/../../../../other");
        File.CreateSymbolicLink(Path.Combine(folder, "data/loop"), "loop");
        File.CreateSymbolicLink(Path.Combine(folder, "linked"), Path.Combine(folder, "runs"));
        allowed = new([Path.Combine(folder, "data"), Path.Combine(folder, "linked")]);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("data")]
    [InlineData("data/")]
    [InlineData("data/mnist/train.gz")]
    [InlineData("data/new/run")]
    [InlineData("data/new/../mnist")]
    [InlineData("data/../data/mnist")]
    [InlineData("data//./mnist")]
    [InlineData("data/runs/mine")]
    [InlineData("data/runs/../mine")]
    [InlineData("data/away/../runs/mine")]
    [InlineData("data/deeper/c")]
    [InlineData("data/up/mine")]
    [InlineData("runs/mine")]
    [InlineData("linked/mine")]
    public void Places_below_a_root_are_allowed(string path) => allowed.Check(Path.Combine(folder, path), "--data-dir");

    [Theory]
    [InlineData("")]
    [InlineData("other")]
    [InlineData("data-2")]
    [InlineData("data/..")]
    [InlineData("data/../other/x")]
    [InlineData("data/out")]
    [InlineData("data/out/new")]
    [InlineData("data/away/new")]
    [InlineData("data/mnist/../../other")]
    [InlineData("data/deep/../../other")]
    [InlineData("data/deeper/../../other")]
    [InlineData("data/up-and-out/new")]
    [InlineData("data/new/../../other")]
    public void Others_are_not(string path)
    {
        var mistake = Assert.Throws<UserErrorException>(() => allowed.Check(Path.Combine(folder, path), "--data-dir"));
        Assert.StartsWith($"--data-dir {Path.Combine(folder, path)} is outside of the folders", mistake.Message, StringComparison.Ordinal);
    }

    /// <summary>The kernel would step up from where the link leads, below data; .NET takes the steps out of the path before the kernel sees it.</summary>
    [Fact]
    public void Steps_up_behind_a_link_are_taken_from_where_it_stands()
    {
        string path = Path.Combine(folder, "data/deeper/../../other/x");
        File.WriteAllText(path, "");
        Assert.True(File.Exists(Path.Combine(folder, "other/x")));
        Assert.Throws<UserErrorException>(() => allowed.Check(path, "--save-dir"));
    }

    [Fact]
    public void Links_without_an_end_are_refused() =>
        Assert.Contains("too many links", Assert.Throws<UserErrorException>(() => allowed.Check(Path.Combine(folder, "data/loop/x"), "--data-dir")).Message, StringComparison.Ordinal);

    [Fact]
    public void Relative_paths_begin_where_the_process_is()
    {
        Assert.Throws<UserErrorException>(() => allowed.Check("runs/mine", "--save-dir"));
        new AllowedFolders([Environment.CurrentDirectory]).Check("runs/mine", "--save-dir");
        Assert.Throws<UserErrorException>(() => new AllowedFolders([Environment.CurrentDirectory]).Check("../mine", "--save-dir"));
    }

    [Fact]
    public void All_paths_of_a_run_are_checked()
    {
        var spec = new RunSpec { DataSet = DataSet.Mnist, DataDir = Path.Combine(folder, "data"), SaveDir = Path.Combine(folder, "runs") };
        allowed.Check(spec);
        string outside = Path.Combine(folder, "other");
        Assert.Contains("--save-dir", Assert.Throws<UserErrorException>(() => allowed.Check(spec with { SaveDir = outside })).Message, StringComparison.Ordinal);
        Assert.Contains("--data-dir", Assert.Throws<UserErrorException>(() => allowed.Check(spec with { DataDir = outside })).Message, StringComparison.Ordinal);
        Assert.Contains("--load-params", Assert.Throws<UserErrorException>(() => allowed.Check(spec with { LoadParams = outside })).Message, StringComparison.Ordinal);
        allowed.Check(spec with { DataSet = DataSet.Digits, DataDir = outside });
        AllowedFolders.All.Check(spec with { SaveDir = outside });
    }
}
