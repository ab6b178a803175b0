using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Cluster.Tests.Faults;

[Trait("Needs", "processes")]
public sealed class ChaosTests(UndisturbedRun undisturbed)
{
    [Fact]
    public Task A_handful_of_faults_changes_nothing_about_the_result() => DisturbAsync(seed: 7, faults: 4);

    [Theory(Explicit = true)]
    [Trait("Needs", "time")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public Task Minutes_of_faults_change_nothing_about_the_result(int seed) => DisturbAsync(seed, faults: 25);

    private async Task DisturbAsync(int seed, int faults)
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-chaos-").FullName;
        ChaosReport report = await new Chaos(
            folder, TestLogs.FolderFor(folder), seed, TextWriter.Null, undisturbed.HashAsync).RunAsync(Timeout.InfiniteTimeSpan, faults);
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
        Assert.True(report.IsSame, report.ToString());
        Directory.Delete(folder, recursive: true);
    }
}
