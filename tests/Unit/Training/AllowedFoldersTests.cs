using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;

namespace PixelCnnCluster.Unit.Tests.Training;

public sealed class AllowedFoldersTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-roots-").FullName;
    private readonly AllowedFolders _allowed;

    public AllowedFoldersTests()
    {
        foreach (string name in new[] { "data/mnist/a/b", "runs", "other" })
            Directory.CreateDirectory(Path.Combine(_folder, name));
        File.CreateSymbolicLink(Path.Combine(_folder, "data/out"), "../other");
        File.CreateSymbolicLink(Path.Combine(_folder, "data/away"), Path.Combine(_folder, "other"));
        File.CreateSymbolicLink(Path.Combine(_folder, "data/runs"), Path.Combine(_folder, "runs"));
        File.CreateSymbolicLink(Path.Combine(_folder, "data/deep"), Path.Combine(_folder, "data/mnist"));
        File.CreateSymbolicLink(Path.Combine(_folder, "data/deeper"), "mnist/a/b");
        File.CreateSymbolicLink(Path.Combine(_folder, "data/up"), "deeper/../../new");
        File.CreateSymbolicLink(Path.Combine(_folder, "data/up-and-out"), "deeper/../../../../other");
        File.CreateSymbolicLink(Path.Combine(_folder, "data/loop"), "loop");
        File.CreateSymbolicLink(Path.Combine(_folder, "linked"), Path.Combine(_folder, "runs"));
        _allowed = new([Path.Combine(_folder, "data"), Path.Combine(_folder, "linked")]);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

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
    public void Places_below_a_root_are_allowed(string path) => _allowed.Check(Path.Combine(_folder, path), "--data-dir");

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
        UserErrorException mistake = Assert.Throws<UserErrorException>(() => _allowed.Check(Path.Combine(_folder, path), "--data-dir"));
        Assert.StartsWith($"--data-dir {Path.Combine(_folder, path)} is outside of the folders", mistake.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// The kernel would step up from where the link leads, below data; .NET takes the steps out of the path before the kernel sees it.
    /// </summary>
    [Fact]
    public void Steps_up_behind_a_link_are_taken_from_where_it_stands()
    {
        string path = Path.Combine(_folder, "data/deeper/../../other/x");
        File.WriteAllText(path, "");
        Assert.True(File.Exists(Path.Combine(_folder, "other/x")));
        Assert.Throws<UserErrorException>(() => _allowed.Check(path, "--save-dir"));
    }

    [Fact]
    public void Links_without_an_end_are_refused() =>
        Assert.Contains(
            "too many links",
            Assert.Throws<UserErrorException>(() => _allowed.Check(Path.Combine(_folder, "data/loop/x"), "--data-dir")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Relative_paths_begin_where_the_process_is()
    {
        Assert.Throws<UserErrorException>(() => _allowed.Check("runs/mine", "--save-dir"));
        new AllowedFolders([Environment.CurrentDirectory]).Check("runs/mine", "--save-dir");
        Assert.Throws<UserErrorException>(() => new AllowedFolders([Environment.CurrentDirectory]).Check("../mine", "--save-dir"));
    }

    [Fact]
    public void All_paths_of_a_run_are_checked()
    {
        var spec = new RunSpec
        {
            Data = new() { DataSet = DataSet.Mnist, DataDir = Path.Combine(_folder, "data") },
            Output = new() { SaveDir = Path.Combine(_folder, "runs") },
        };
        _allowed.Check(spec);
        string outside = Path.Combine(_folder, "other");
        Assert.Contains(
            "--save-dir", Assert.Throws<UserErrorException>(() => _allowed.Check(spec with
            {
                Output = spec.Output with { SaveDir = outside },
            })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "--data-dir", Assert.Throws<UserErrorException>(() => _allowed.Check(spec with
            {
                Data = spec.Data with { DataDir = outside },
            })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "--load-params", Assert.Throws<UserErrorException>(() => _allowed.Check(spec with
            {
                Output = spec.Output with { LoadParams = outside },
            })).Message,
            StringComparison.Ordinal);
        _allowed.Check(spec with { Data = spec.Data with { DataSet = DataSet.Digits, DataDir = outside } });
        AllowedFolders.All.Check(spec with { Output = spec.Output with { SaveDir = outside } });
    }
}
