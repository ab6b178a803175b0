using PixelCnnCluster.Tests;

// Each test starts several processes: one at a time on a small machine.
[assembly: CollectionBehavior(CollectionBehavior.CollectionPerAssembly)]
[assembly: AssemblyFixture(typeof(UndisturbedRun))]
