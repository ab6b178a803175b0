using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model;
using PixelCnnCluster.Model.Layers;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>A state_dict of the common PyTorch port, as torch.save wrote it, goes in and comes out.</summary>
public sealed class PortWeightTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string In(string name) => Path.Combine(_folder.Path, name);

    [Fact]
    public void The_ports_logits_agree()
    {
        string checkpoint = WeightFiles.Import(Stored.Vector("port-grey.pth"), In("run"), imageSize: null);
        using DisposeScope scope = NewDisposeScope();
        Tensor images = ImageScaling.FromBytes(
            tensor(Stored.Npz<byte>(Stored.Vector("port-grey.npz"), "pixels"), [2, 1, 28, 28], ScalarType.Byte));
        Stored.AssertClose(Stored.Npz<float>(Stored.Vector("port-grey.npz"), "logits"), Stored.Outputs(checkpoint, images), 1e-4f);
        ModelInfo model = ModelFiles.Read(checkpoint);
        Assert.Equal(("port-grey", 0L, 1, 28, 0), (model.Run, model.Step, model.Channels, model.Size, model.Classes));
        Assert.Equal(
            new RunSpec
            {
                Data = new() { DataSet = DataSet.Mnist },
                Model = new() { Filters = 4, Blocks = 1, Mixtures = 3 },
                Output = new() { SaveDir = In("run") },
            }, model.Spec);
    }

    [Fact]
    public void Names_shapes_and_all_but_transposed_weights_come_out_as_they_went_in()
    {
        string original = Stored.Vector("port-grey.pth");
        ExportedWeights export = Stored.Export(WeightFiles.Import(original, In("run"), null), In("out.pth"));
        IReadOnlyDictionary<string, SafeTensor> before = Stored.Tensors(original), after = Stored.Tensors(export.Path);
        Assert.Equal(
            File.ReadLines(Stored.Vector("port-grey.names.txt")).Order(),
            after.Select(pair => $"{pair.Key} [{string.Join(", ", pair.Value.Shape)}]").Order());
        Assert.Equal((171, 0L, new FileInfo(export.Path).Length), (export.Tensors, export.Step, export.Bytes));
        bool Kept(string name) => !name.Contains("deconv.weight", StringComparison.Ordinal);
        Stored.AssertSame(before.Where(pair => Kept(pair.Key)).ToDictionary(), after.Where(pair => Kept(pair.Key)).ToDictionary());

        string again = Stored.Export(WeightFiles.Import(export.Path, In("again"), null), In("again.pth")).Path;
        Assert.Equal(File.ReadAllBytes(export.Path), File.ReadAllBytes(again));
        using DisposeScope scope = NewDisposeScope();
        Tensor images = Stored.Images(1, 28);
        Stored.AssertClose(
            Stored.Outputs(CheckpointHeader.Newest(In("run"))!, images), Stored.Outputs(CheckpointHeader.Newest(In("again"))!, images),
            1e-6f);
    }

    [Fact]
    public void An_imported_network_trains_scores_and_samples()
    {
        string checkpoint = WeightFiles.Import(Stored.Vector("port-grey.pth"), In("run"), null);
        RunSpec spec = ModelFiles.Read(checkpoint).Spec with
        {
            Optimiser = ModelFiles.Read(checkpoint).Spec.Optimiser with { BatchSize = 2, Shards = 2 },
        };
        using var run = TinyRun.Start(spec, TinyRun.Images(1, 28));
        Assert.Empty(run.On(() => run.Replica.Start(null, mustLoad: false)));
        Assert.Equal(ModelFiles.Read(checkpoint).StateHash, run.Hash);
        Assert.True(run.On(() => run.Replica.State.Values.Equals(run.Replica.State.Average)));
        Assert.All(run.Steps(3), loss => Assert.True(double.IsFinite(loss)));
        Assert.All(run.On(() => run.Replica.Evaluate(0, 4)), loss => Assert.True(double.IsFinite(loss)));
        Assert.Equal(28 * 28, run.On(() => run.Replica.Sample(0, 1)).Length);
    }

    [Fact]
    public void An_input_of_a_transposed_convolution_without_weights_stays_so()
    {
        string exported = Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec, change: (parameters, layout) =>
            parameters[layout.Slots.Single(slot => slot.Name == "upsize.0.u.v")][2].zero_()), In("out.pth")).Path;
        SafeTensor scale = Stored.Tensors(exported)["upsize_u_stream.0.deconv.weight_g"],
            direction = Stored.Tensors(exported)["upsize_u_stream.0.deconv.weight_v"];
        Assert.Equal([false, false, true, false], scale.Floats().Select(g => g == 0));
        Assert.All(direction.Floats(), v => Assert.NotEqual(0, v));
        WeightFiles.Import(exported, In("to"), null);
    }

    [Fact]
    public void Every_row_of_the_table_has_its_way_back()
    {
        foreach (Layer layer in Layer.Of(new PixelCnn(NetworkShape.From(Stored.Spec with
        {
            Model = Stored.Spec.Model with { Blocks = 12 },
        }, 3, 32, 0)).Layout))
            Assert.Equal(layer.Name, LayerNames.FromPort(LayerNames.ToPort(layer.Name)));
        Assert.Equal("up_layers.2.u_stream.11.conv_input.conv", LayerNames.ToPort("up.2.u.11.conv_in"));
        Assert.Null(LayerNames.FromPort("up_layers.2.u_stream.conv_input.conv"));
    }

    public void Dispose() => _folder.Dispose();
}
