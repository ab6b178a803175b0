using PixelCnnCluster.Cluster.Tests;
using Xunit.v3;

// The tests wait more than they compute, so two clusters at once fit on two cores.
[assembly: Parallelization(MaxThreads = 2)]
[assembly: AssemblyFixture(typeof(UndisturbedRun))]
