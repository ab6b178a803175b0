namespace PixelCnnCluster.Cluster.Tests;

/// <summary>Tests on real silos: one that fails tells the end of their logs.</summary>
/// <param name="isOwn">Whether the cluster is for one test only.</param>
[Trait("Needs", "processes")]
public abstract class ClusterTests(TestCluster cluster, bool isOwn = false) : IAsyncDisposable
{
    protected TestCluster Cluster => cluster;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
            cluster.TellFailure();
        if (isOwn)
            await cluster.DisposeAsync();
    }
}
