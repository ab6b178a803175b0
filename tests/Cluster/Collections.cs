namespace PixelCnnCluster.Cluster.Tests;

/// <summary>Classes that disturb the silos of one cluster, one after another.</summary>
[CollectionDefinition(nameof(FaultCluster))]
public sealed class FaultCluster : ICollectionFixture<TestCluster>;

/// <summary>Classes that share a cluster whose silos they mostly leave alone.</summary>
[CollectionDefinition(nameof(SharedSilos))]
public sealed class SharedSilos : ICollectionFixture<TestCluster>;

/// <summary>Classes that have use for one silo.</summary>
[CollectionDefinition(nameof(OneSilo))]
public sealed class OneSilo : ICollectionFixture<TestCluster>;
