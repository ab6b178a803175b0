using System.CommandLine;
using PixelCnnCluster.Benchmarks;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;

try
{
    if (Environment.GetEnvironmentVariable(TorchLibrary.Key.Replace(":", "__", StringComparison.Ordinal)) is { Length: > 0 } library)
        TorchLibrary.Load(library);
}
catch (UserErrorException mistake)
{
    Console.Error.WriteLine(mistake.Message);
    return 2;
}

return new RootCommand("Measures speed as ratios within one run; prints JSON lines.")
{
    TrainStep.Command(), Convolutions.Command(), Sample.Command(), Gpu.Command(),
    AllReduce.Command(), AllReducePeer.Command(), ClusterStep.Command(), CoordinatorStep.Command(), SimulatedWorkers.Command(),
    CheckpointStall.Command(), DataLoading.Command(),
}.Parse(args).Invoke();
