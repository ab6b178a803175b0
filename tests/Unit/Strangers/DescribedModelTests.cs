using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Devices;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Jobs;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Strangers;

/// <summary>What a file or a message says of a model is checked before anything is made in its size.</summary>
public sealed class DescribedModelTests : IDisposable
{
    private const long Little = 50 << 20;

    /// <summary>Within the limits of a specification, and some terabytes.</summary>
    private const string Vast = "{\"blocks\":100,\"filters\":4096}";

    private readonly TempFolder _folder = new();

    private string File1 => Path.Combine(_folder.Path, "step-000000001.safetensors");

    [Theory]
    [InlineData("spec", "{\"blocks\":2000000000}", "--nr-resnet is 2000000000; give 100 or less.")]
    [InlineData("spec", "{\"filters\":2000000000}", "--nr-filters is 2000000000; give 4096 or less.")]
    [InlineData("spec", "{\"mixtures\":0}", "--nr-logistic-mix is 0; give 1 or more.")]
    [InlineData("spec", "{\"objective\":7}", "objective")]
    [InlineData("channels", "2", "It has 2 channels in place of 1 or 3.")]
    [InlineData("channels", "4294967297", "does not say what its model looks like")]
    [InlineData("size", "10", "Its images are 10 pixels wide in place of a multiple of 4 from 8 to 64.")]
    [InlineData("size", "65536", "Its images are 65536 pixels wide")]
    [InlineData("size", "2147483676", "does not say what its model looks like")]
    [InlineData("classes", "-1", "does not say what its model looks like")]
    [InlineData("classes", "3", "It has 3 classes and is not conditioned on classes.")]
    public void A_file_that_describes_no_network_is_refused(string key, string value, string part)
    {
        CraftedCheckpoint.Write(File1, new(CraftedCheckpoint.Metadata()) { [key] = value });

        string message = Refusal(() => ModelFiles.Read(File1));

        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains(File1, message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vast_network_without_its_tensors_is_refused_before_memory_is_taken()
    {
        using var threads = new DeviceThreads(1);
        CraftedCheckpoint.Write(File1, CraftedCheckpoint.Metadata(Vast));
        ModelInfo model = ModelFiles.Read(File1);

        Assert.All(
            [
                Refusal(() => On(threads, () => TrainedModel.Load(model, threads))),
                Refusal(() => WeightFiles.Export(model, Path.Combine(_folder.Path, "out.safetensors"))),
            ],
            message => Assert.Contains(
                $"{File1} is of another network (u_init.v is missing, and", message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_whose_parameters_are_not_finite_is_refused()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        using var threads = new DeviceThreads(1);
        run.Replica.State.Average[5] = float.NaN;
        using var device = new JobDevice(run);

        string message = Assert.Throws<InvalidDataException>(() => On(threads, () => TrainedModel.Load(device.Model, threads))).Message;

        Assert.Contains("has diverged", message, StringComparison.Ordinal);
        Assert.Contains("--model", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_that_describes_no_network_is_refused_by_every_reader()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        using var device = new JobDevice(run);
        using var threads = new DeviceThreads(1);
        ModelInfo whole = device.Model;
        ModelInfo[] impossible =
        [
            whole with { Size = 65536 }, whole with { Size = 1 << 30 }, whole with { Channels = 2 }, whole with { Classes = -1 },
            whole with { Classes = 5 },
            whole with { Spec = whole.Spec with { Model = whole.Spec.Model with { Blocks = 2_000_000_000 } } },
        ];
        Assert.All(impossible, model =>
        {
            string[] refusals =
            [
                Refusal(() => On(threads, () => TrainedModel.Load(model, threads))),
                Refusal(() => WeightFiles.Export(model, Path.Combine(_folder.Path, "out.safetensors"))),
                Refusal(() => device.Sampler.SampleAsync(device.Order(0, 1) with { Model = model }, 0).GetAwaiter().GetResult()),
                Refusal(() => Score(device, model).GetAwaiter().GetResult()),
                Refusal(() => device.Sampler.CountAsync(new(DataSet.Folder, _folder.Path, true), model).GetAwaiter().GetResult()),
                Assert.Single(new SampleJob { Model = model, Count = 1, Seed = 1 }.Validate()),
            ];
            Assert.All(refusals, text => Assert.Contains("describes no network that there can be", text, StringComparison.Ordinal));
        });
    }

    [Theory]
    [InlineData("step", null)]
    [InlineData("step", "many")]
    [InlineData("step", "-1")]
    [InlineData("step", "9223372036854775807")]
    [InlineData("images", "9223372036854775807")]
    [InlineData("skipped_in_a_row", "x")]
    [InlineData("skipped_in_a_row", "4294967296")]
    [InlineData("state_hash", null)]
    [InlineData("spec", "{\"dropout\":\"much\"}")]
    public void A_run_takes_the_checkpoint_before_one_whose_metadata_are_garbled(string key, string? value)
    {
        using var run = TinyRun.Start(TinyRun.Small with { Output = TinyRun.Small.Output with { SaveDir = _folder.Path } });
        run.Steps(1);
        string hash = run.Hash;
        CheckpointFolder.Save(run.Checkpoint(), _folder.Path, keep: 3);
        Dictionary<string, string> metadata = CraftedCheckpoint.Metadata();
        if (value is null)
            metadata.Remove(key);
        else
            metadata[key] = value;
        string crafted = CraftedCheckpoint.Write(Path.Combine(_folder.Path, "step-000000009.safetensors"), metadata);

        IReadOnlyList<string> refused = run.On(() => run.Replica.Start(newerThan: null, mustLoad: true));

        Assert.Contains($"{crafted} cannot be used: ", Assert.Single(refused), StringComparison.Ordinal);
        Assert.Equal(hash, run.Hash);
        CheckpointFolder.Prune(_folder.Path, keep: 1, step: 9);
    }

    private static Task<ImagesScored> Score(JobDevice device, ModelInfo model) => device.Sampler.ScoreAsync(
        new() { Job = Guid.NewGuid(), Model = model, First = 0, End = 1, Images = [0] });

    private static T On<T>(DeviceThreads threads, Func<T> work) => threads.RunAsync(work).GetAwaiter().GetResult();

    private static string Refusal(Func<object?> read)
    {
        long before = GC.GetTotalAllocatedBytes();
        string message = Assert.Throws<UserErrorException>(read).Message;
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, Little);
        return message;
    }

    public void Dispose() => _folder.Dispose();
}
