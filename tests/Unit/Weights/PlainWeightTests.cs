using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Model;
using PixelCnnCluster.Unit.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>Plain weights by the layers' names keep every network, to the bit.</summary>
public sealed class PlainWeightTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<RunSpec, int> Networks => new()
    {
        { Stored.Spec, 1 },
        { Stored.Spec with { Model = Stored.Spec.Model with { Blocks = 2 } }, 3 },
        { Stored.Spec with { Model = Stored.Spec.Model with { ClassConditional = true } }, 1 },
        { Stored.Spec with { Model = Stored.Spec.Model with { CoordinateChannels = true } }, 1 },
        { Stored.Spec with { Model = Stored.Spec.Model with { CoordinateChannels = true } }, 3 },
        { Stored.Spec with { Model = Stored.Spec.Model with { NonLocal = true } }, 1 },
        { Stored.Spec with { Model = Stored.Spec.Model with { Objective = Objective.EnergyDistance } }, 3 },
        { Stored.Spec with { Model = Stored.Spec.Model with { Objective = Objective.EnergyDistance, CoordinateChannels = true } }, 1 },
        { Stored.Spec with { Model = Stored.Spec.Model with { Nonlinearity = Nonlinearity.Elu } }, 1 },
        { Stored.Spec with {
            Model = Stored.Spec.Model with { Nonlinearity = Nonlinearity.Relu, NonLocal = true, ClassConditional = true,
                CoordinateChannels = true },
        }, 3 },
    };

    private string In(string name) => Path.Combine(_folder.Path, name);

    [Theory]
    [InlineData("grey28", 1, 28, DataSet.Mnist)]
    [InlineData("rgb16", 3, 16, DataSet.Folder)]
    public void The_reference_vectors_give_their_logits_and_come_out_the_same(string name, int channels, int size, DataSet dataSet)
    {
        string vector = Stored.Vector(name + ".safetensors");
        var weights = Stored.Tensors(vector)
            .Where(pair => pair.Key.EndsWith(".weight", StringComparison.Ordinal) || pair.Key.EndsWith(".bias", StringComparison.Ordinal))
                .ToDictionary();
        string checkpoint = WeightFiles.Import(Stored.Write(In("in.safetensors"), weights), In("run"), size);
        ModelInfo model = ModelFiles.Read(checkpoint);
        Assert.Equal(
            (channels, size, dataSet, SaveDir: In("run")),
            (model.Channels, model.Size, model.Spec.Data.DataSet, model.Spec.Output.SaveDir));
        using DisposeScope scope = NewDisposeScope();
        using var reference = ReferenceVector.Load(vector);
        Stored.AssertClose(reference["logits"].Floats(), Stored.Outputs(checkpoint, reference.Images), 1e-4f);
        Stored.AssertSame(weights, Stored.Tensors(Stored.Export(checkpoint, In("out.safetensors")).Path));
    }

    [Theory]
    [MemberData(nameof(Networks), DisableDiscoveryEnumeration = true)]
    public void Every_network_comes_out_as_it_went_in(RunSpec spec, int channels)
    {
        string from = Stored.Checkpoint(In("from"), spec, channels, size: 12);
        ExportedWeights export = Stored.Export(from, In("out.safetensors"));
        string to = WeightFiles.Import(export.Path, In("to"), imageSize: null);
        Assert.Equal((7L, new FileInfo(export.Path).Length), (export.Step, export.Bytes));
        Assert.Equal(File.ReadAllBytes(export.Path).Length, File.ReadAllBytes(Stored.Export(to, In("again.safetensors")).Path).Length);
        Stored.AssertSame(Stored.Tensors(export.Path), Stored.Tensors(In("again.safetensors")));
        ModelInfo model = ModelFiles.Read(to);
        Assert.Equal(
            new ModelInfo
            {
                Path = to,
                Run = "out",
                Step = 0,
                StateHash = model.StateHash,
                Channels = channels,
                Size = 12,
                Classes = spec.Model.ClassConditional ? 10 : 0,
                Spec = spec with { Output = spec.Output with { SaveDir = In("to") } },
            },
            model);
        using DisposeScope scope = NewDisposeScope();
        Tensor images = Stored.Images(channels, 12);
        float[] outputs = Stored.Outputs(to, images);
        Stored.AssertClose(Stored.Outputs(from, images), outputs, 1e-4f);
        Assert.True(outputs.Max() > 0.01);
    }

    [Theory]
    [MemberData(nameof(Networks), DisableDiscoveryEnumeration = true)]
    public void The_tensors_alone_tell_the_network(RunSpec spec, int channels)
    {
        // A rectified network's tensors are those of one with ELU.
        spec = spec.Model.Nonlinearity == Nonlinearity.Relu ? spec with { Model = spec.Model with { Nonlinearity = Nonlinearity.Elu } }
            : spec;
        int size = channels == 1 ? 28 : 12;
        string from = Stored.Checkpoint(In("from"), spec, channels, size);
        IReadOnlyDictionary<string, SafeTensor> tensors = Stored.Tensors(Stored.Export(from, In("out.safetensors")).Path);
        string to = WeightFiles.Import(Stored.Write(In("bare.safetensors"), tensors), In("to"), size);
        ModelInfo model = ModelFiles.Read(to);
        Assert.Equal(
            (channels, size, spec.Model.ClassConditional ? 10 : 0, channels == 1 ? DataSet.Mnist : DataSet.Folder),
            (model.Channels, model.Size, model.Classes, model.Spec.Data.DataSet));
        using DisposeScope scope = NewDisposeScope();
        Tensor images = Stored.Images(channels, size);
        Stored.AssertClose(Stored.Outputs(from, images), Stored.Outputs(to, images), 1e-4f);
    }

    [Fact]
    public void A_zero_filter_and_a_tiny_one_stay_so_and_train_on()
    {
        RunSpec spec = Stored.Spec with { Model = Stored.Spec.Model with { NonLocal = true } };
        string from = Stored.Checkpoint(In("from"), spec, size: 8, change: (parameters, layout) =>
        {
            parameters[layout.Slots.Single(slot => slot.Name == "non_local.1.project.g")].zero_();
            parameters[layout.Slots.Single(slot => slot.Name == "up.0.u.0.conv_in.g")][1].TimesInPlace(1e-27);
        });
        string exported = Stored.Export(from, In("out.safetensors")).Path;
        Assert.All(Stored.Tensors(exported)["non_local.1.project.weight"].Floats(), weight => Assert.Equal(0, weight));
        string to = WeightFiles.Import(exported, In("to"), null);
        Stored.AssertSame(Stored.Tensors(exported), Stored.Tensors(Stored.Export(to, In("again.safetensors")).Path));
        using var run = TinyRun.Start(
            ModelFiles.Read(to).Spec with
            {
                Optimiser = ModelFiles.Read(to).Spec.Optimiser with { BatchSize = 2, Shards = 1, InitBatchSize = 2 },
            }, TinyRun.Images(1));
        run.On(() => run.Replica.Start(null, mustLoad: false));
        Assert.All(run.Steps(2), loss => Assert.True(double.IsFinite(loss)));
        Assert.Equal(0, run.Replica.SkippedInARow);
    }

    [Theory]
    [InlineData("F64")]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Other_floating_point_types_are_converted(string type)
    {
        var tensors = Stored.Tensors(Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec), In("out.safetensors")).Path).ToDictionary();
        float[] bias = [0.5f, -1.25f, 3, 0];
        byte[] converted = type switch
        {
            "F64" => MemoryMarshal.AsBytes<double>(Array.ConvertAll(bias, value => (double)value)).ToArray(),
            "F16" => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(bias, value => (Half)value)).ToArray(),
            _ => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(bias, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))
                .ToArray(),
        };
        tensors["u_init.bias"] = new(type, [4], converted);
        string to = WeightFiles.Import(Stored.Write(In("in.safetensors"), tensors), In("to"), null);
        Assert.Equal(bias, Stored.Tensors(Stored.Export(to, In("again.safetensors")).Path)["u_init.bias"].Floats());
    }

    [Fact]
    public void Places_of_one_machine_are_not_exported()
    {
        string from = Stored.Checkpoint(In("from"), Stored.Spec with
        {
            Output = Stored.Spec.Output with { SaveDir = "/secret/runs", LoadParams = "/secret/old" },
        });
        byte[] exported = File.ReadAllBytes(Stored.Export(from, In("out.safetensors")).Path);
        Assert.Equal(-1, exported.AsSpan().IndexOf("secret"u8));
    }

    public void Dispose() => _folder.Dispose();
}
