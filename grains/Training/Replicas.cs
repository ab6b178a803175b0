using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using TorchSharp;

namespace PixelCnnCluster.Training;

/// <summary>Builds replicas.</summary>
/// <param name="memory">Bytes that they may use on the CPU.</param>
public sealed class Replicas(DeviceThreads threads, DataSets dataSets, AllowedFolders folders, long memory) : IReplicaSource
{
    private readonly Dictionary<RunSpec, string> _fingerprints = [];

    public void Load(RunSpec spec) => DataOf(spec);

    public string Arithmetic(RunSpec spec)
    {
        RunSpec probe = ArithmeticProbe.SpecFor(spec);
        if (!_fingerprints.TryGetValue(probe, out string? known))
            _fingerprints.Add(probe, known = ArithmeticProbe.Fingerprint(probe, threads));
        return known;
    }

    public long? NewestCheckpoint(RunSpec spec)
    {
        folders.Check(spec);
        return CheckpointHeader.Newest(spec.Output.SaveDir) is { } path ? CheckpointHeader.StepOf(path) : null;
    }

    public long? AddScore(string checkpoint, double testBitsPerDim)
    {
        folders.Check(checkpoint, "--save-dir");
        Checkpoint.AddScore(checkpoint, testBitsPerDim);
        return CheckpointHeader.Newest(Path.GetDirectoryName(checkpoint)!) is { } newest ? CheckpointHeader.StepOf(newest) : null;
    }

    public IReplica Build(RunSpec spec) => new Replica(spec, DataOf(spec), threads);

    private ImageData DataOf(RunSpec spec)
    {
        spec.Check();
        folders.Check(spec);
        ImageData data = dataSets.Get(spec.Data.DataSet, spec.Data.DataDir, spec.Data.ImageSize);
        if (spec.Model.ClassConditional && data.Train.Classes == 0)
            throw new UserErrorException(
                "--class-conditional needs labels, which this data set has not; leave it out or give images in class folders.");
        if (threads.Device.type == DeviceType.CPU && !spec.Compute.IgnoreMemory
            && MemoryNeed.Mistake(spec, data, threads.Count, memory) is { } mistake)
            throw new UserErrorException(mistake);
        return data;
    }
}
