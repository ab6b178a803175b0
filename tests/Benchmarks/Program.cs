using System.CommandLine;
using PixelCnnCluster.Benchmarks;

return new RootCommand("Measures speed as ratios within one run; prints one JSON line.") { TrainStep.Command(), Sample.Command(), AllReduce.Command(), AllReducePeer.Command(), ClusterStep.Command(), CoordinatorStep.Command(), SimulatedWorkers.Command() }.Parse(args).Invoke();
