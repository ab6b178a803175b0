using System.CommandLine;
using PixelCnnCluster.Benchmarks;

return new RootCommand("Measures speed as ratios within one run; prints JSON lines.")
{
    TrainStep.Command(), Sample.Command(),
    AllReduce.Command(), AllReducePeer.Command(), ClusterStep.Command(), CoordinatorStep.Command(), SimulatedWorkers.Command(),
    CheckpointStall.Command(), DataLoading.Command(),
}.Parse(args).Invoke();
