using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Cluster;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class ClusterRequestTests
{
    private static (ClusterRequest Request, IReadOnlyList<string> Mistakes) Read(string line, string? variable = null) =>
        ClusterRequest.Read(Commands.Parse(line.Split(' ')), variable);

    [Theory]
    [InlineData("runs --cluster a:1", "", false, false)]
    [InlineData("runs show mine --cluster a:1 --json", "mine", true, false)]
    [InlineData("watch --cluster a:1 mine", "mine", false, false)]
    [InlineData("stop mine --cluster=a:1 --detach", "mine", false, true)]
    [InlineData("resume --json --detach mine --cluster a:1", "mine", true, true)]
    [InlineData("cluster --json --cluster a:1", "", true, false)]
    public void A_command_says_what_it_asks(string line, string run, bool json, bool detach)
    {
        (ClusterRequest request, IReadOnlyList<string> mistakes) = Read(line);

        Assert.Empty(mistakes);
        Assert.Equal(new ClusterRequest(new ClusterAddress("a:1"), run, json, detach), request);
    }

    [Fact]
    public void The_environment_names_the_cluster_where_no_flag_does()
    {
        Assert.Equal(new ClusterAddress("a:1", "blue"), Read("runs", "a:1/blue").Request.Cluster);
        Assert.Equal(new ClusterAddress("b:2"), Read("runs --cluster b:2", "a:1/blue").Request.Cluster);
        Mistake.AssertNames("PIXELCNN_CLUSTER", Assert.Single(Read("runs", "a").Mistakes));
    }

    [Theory]
    [InlineData("runs", "--cluster")]
    [InlineData("runs show mine", "--cluster")]
    [InlineData("cluster --cluster a:b", "--cluster")]
    [InlineData("watch --cluster a:1", "the name of a run")]
    [InlineData("runs show --cluster a:1", "the name of a run")]
    [InlineData("stop one two --cluster a:1", "two")]
    [InlineData("resume mine --foo 3 --cluster a:1", "--foo")]
    [InlineData("stop --foo --cluster a:1", "--foo")]
    [InlineData("watch mine --detach --cluster a:1", "--detach")]
    [InlineData("runs all --cluster a:1", "all")]
    public void A_mistake_names_what_is_wrong(string line, string named) => Mistake.AssertNames(named, Assert.Single(Read(line).Mistakes));

    [Fact]
    public void All_mistakes_are_told_together() => Assert.Equal(3, Read("stop mine two --foo").Mistakes.Count);
}
