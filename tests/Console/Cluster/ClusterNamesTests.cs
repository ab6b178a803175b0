using System.Security.Authentication;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Cluster;

public sealed class ClusterNamesTests
{
    [Fact]
    public void A_wrong_password_is_told_from_other_ways_of_not_being_let_in()
    {
        Assert.True(
            ClusterNames.IsRefusal(new IOException("outer", new InvalidOperationException("WRONGPASS invalid username-password pair"))));
        Assert.True(ClusterNames.IsRefusal(new IOException("It was not possible to connect (AuthenticationFailure)")));
        Assert.False(ClusterNames.IsRefusal(new IOException("It was not possible to connect (UnableToConnect)")));
        Assert.False(
            ClusterNames.IsRefusal(
                new IOException(
                    "It was not possible to connect (AuthenticationFailure)",
                    new AuthenticationException("The remote certificate was rejected"))));
        Assert.False(ClusterNames.IsRefusal(null));
    }
}
