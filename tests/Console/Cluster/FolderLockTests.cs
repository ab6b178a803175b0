using PixelCnnCluster.Client.Cluster;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class FolderLockTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static FolderLock Take(string run) => FolderLock.Take(run, Path.Combine(run, "logs"));

    [Fact]
    public void A_folder_is_one_runs_at_a_time()
    {
        string run = _folder.File("new/run");
        using (Take(run))
        {
            Mistake.AssertNames($"--save-dir {run}", Assert.Throws<UserErrorException>(() => Take(run)).Message);
        }

        Assert.Empty(Directory.EnumerateFiles(run));
        Take(run).Dispose();
    }

    [Fact]
    public void A_lock_that_a_killed_console_left_holds_nobody_up()
    {
        File.WriteAllText(_folder.File("console.lock"), "");

        Take(_folder.Path).Dispose();
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_the_users_mistake()
    {
        File.WriteAllText(_folder.File("file"), "");

        File.WriteAllText(_folder.File("logs"), "");

        foreach (string run in new[] { _folder.File("file/run"), _folder.Path })
            Assert.StartsWith(
                "--save-dir ", Assert.Throws<UserErrorException>(() => Take(run)).Message, StringComparison.Ordinal);
    }
}
