using PixelCnnCluster.Faults;

namespace PixelCnnCluster.Tests;

public sealed class ChaosTests
{
    [Fact]
    public async Task A_minute_of_faults_changes_nothing_about_the_result()
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-chaos-").FullName;
        ChaosReport report = await new Chaos(folder, seed: 7, TextWriter.Null).RunAsync(TimeSpan.FromMinutes(1));
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
        Assert.True(report.IsSame, $"{report}\nThe logs are in {folder}.");
        Directory.Delete(folder, recursive: true);
    }
}
