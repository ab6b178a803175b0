using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>What is not exactly one network is refused with all that is wrong, and nothing is written.</summary>
public sealed class RefusedWeightTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string In(string name) => Path.Combine(_folder.Path, name);

    [Theory]
    [InlineData("in.safetensors", "u_init.weight", "down.2.ul.0.skip.bias", "out.weight")]
    [InlineData("in.pth", "u_init.conv.weight_v", "down_layers.2.ul_stream.0.nin_skip.lin_a.bias", "nin_out.lin_a.weight_v")]
    public void Missing_extra_and_misshapen_tensors_are_listed(string name, string missing, string misshapen, string both)
    {
        var tensors = Stored.Tensors(Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec), In("out" + Path.GetExtension(name))).Path)
            .ToDictionary();
        tensors.Remove(missing);
        tensors[misshapen] = SafeTensor.Of(new float[5], [5]);
        tensors[both] = SafeTensor.Of(new float[12], [3, 4]);
        tensors["step"] = new("I64", [], new byte[8]);
        Refuse(
            Stored.Write(In(name), tensors), name, $"missing: {missing};", "extra: step;",
            $"{misshapen} [5] in place of [4]");
    }

    [Fact]
    public void One_wrong_tensor_does_not_put_the_others_in_the_wrong()
    {
        RunSpec spec = Stored.Spec with
        {
            Model = Stored.Spec.Model with { Blocks = 2, ClassConditional = true, CoordinateChannels = true, NonLocal = true },
        };
        IReadOnlyDictionary<string, SafeTensor> tensors = Stored.Tensors(
            Stored.Export(Stored.Checkpoint(In("from"), spec), In("out.safetensors")).Path);
        // Only the last layer tells the number of mixtures.
        foreach ((string name, SafeTensor tensor) in tensors.Where(pair => pair.Key != "out.weight"))
        {
            long[] shape = [1, .. tensor.Shape[1..]];
            var misshapen = new Dictionary<string, SafeTensor>(tensors)
            {
                [name] = SafeTensor.Of(
                new float[shape.Aggregate(1L, (product, side) => product * side)], shape)
            };
            Refuse(Stored.Write(In("in.safetensors"), misshapen), $"(misshapen: {name} [{string.Join(", ", shape)}] in place of " +
                $"[{string.Join(", ", tensor.Shape)}]);");
            Refuse(Stored.Write(In("in.safetensors"), tensors.Where(pair => pair.Key != name).ToDictionary()), $"(missing: {name});");
        }
    }

    [Fact]
    public void Long_lists_are_cut()
    {
        var tensors = Stored.Tensors(Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec), In("out.safetensors")).Path)
            .Where(pair => !pair.Key.StartsWith("down.2", StringComparison.Ordinal)).ToDictionary();
        Refuse(Stored.Write(In("in.safetensors"), tensors), "missing: down.2.u.0.conv_in.weight, ", " and 14 more");
        tensors[$"\u001b[2J\n{new string('x', 10_000)}"] = SafeTensor.Of([1], [1]);
        Refuse(Stored.Write(In("in.safetensors"), tensors), $"extra: ?[2J?{new string('x', 115)}...)");
    }

    [Fact]
    public void Numbers_that_are_no_weights_are_named()
    {
        var tensors = Stored.Tensors(Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec), In("out.safetensors")).Path).ToDictionary();
        SafeTensor bias = tensors["u_init.bias"];
        tensors["u_init.bias"] = new("I32", [4], new byte[16]);
        Refuse(Stored.Write(In("in.safetensors"), tensors), "not floating-point: u_init.bias (I32)");
        foreach (float value in new[] { float.NaN, float.PositiveInfinity })
        {
            tensors["u_init.bias"] = SafeTensor.Of([0, value, 0, 0], [4]);
            Refuse(Stored.Write(In("in.safetensors"), tensors), "not finite in u_init;");
        }

        tensors["u_init.bias"] = bias;
        tensors["upsize.1.u.weight"] = SafeTensor.Of([.. Enumerable.Repeat(float.NaN, 96)], [4, 4, 2, 3]);
        Refuse(Stored.Write(In("in.safetensors"), tensors), "not finite in upsize.1.u;");
    }

    [Fact]
    public void A_filter_that_points_nowhere_is_refused()
    {
        var tensors = Stored.Tensors(Stored.Vector("port-grey.pth")).ToDictionary();
        tensors["ul_init.0.conv.weight_v"] = SafeTensor.Of(new float[24], [4, 2, 1, 3]);
        tensors["upsize_ul_stream.1.deconv.weight_v"] = SafeTensor.Of(new float[64], [4, 4, 2, 2]);
        Refuse(Stored.Write(In("in.pth"), tensors), "not finite in ul_init.0, upsize.1.ul;");
    }

    [Fact]
    public void Other_files_are_refused_by_name()
    {
        string checkpoint = Stored.Checkpoint(In("from"), Stored.Spec);
        Refuse(checkpoint, checkpoint, "is a checkpoint", "--load-params");
        Refuse(Stored.Write(
            In("other.safetensors"), new Dictionary<string, SafeTensor> { ["fc.weight"] = SafeTensor.Of([1], [1, 1]) }),
            "holds no PixelCNN++ (fc.weight)");
        Refuse(Stored.Write(
            In("other.pth"), new Dictionary<string, SafeTensor> { ["fc.weight"] = SafeTensor.Of([1], [1, 1]) }),
            "holds no PixelCNN++ (fc.weight)");
        Refuse(_folder.Write("empty.safetensors", []), "cannot be read");
        Refuse(_folder.Write("empty.pth", []), "PyTorch writes since 1.6");
        Refuse(_folder.Write(
            "old.pth", [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.']), "old.pth",
            "PyTorch writes since 1.6", "save it again");
        Refuse(In("none.pth"), "none.pth", "cannot be read");
        Refuse(In("none.safetensors"), "none.safetensors", "cannot be read");
        Refuse(_folder.Path, "cannot be read");
    }

    [Theory]
    [InlineData("spec", "{", "garbled")]
    [InlineData("spec", "{\"blocks\":2000000000}", "--nr-resnet is 2000000000")]
    [InlineData("spec", "{\"filters\":2000000000,\"blocks\":1}", "--nr-filters is 2000000000")]
    [InlineData("spec", "{\"filters\":4000,\"blocks\":1}", "missing:")]
    [InlineData("spec", "{\"blocks\":1,\"filters\":1}", "--nr-filters is 1")]
    [InlineData("size", "2000000000", "2000000000 pixels wide")]
    [InlineData("size", "many", "garbled")]
    [InlineData("channels", "2", "2 channels")]
    [InlineData("classes", "3", "3 classes")]
    public void Metadata_that_cannot_be_are_refused(string key, string value, string part)
    {
        string exported = Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec), In("out.safetensors")).Path;
        (IReadOnlyDictionary<string, SafeTensor> tensors,
            IReadOnlyDictionary<string, string> metadata) = Stored.Parse(File.ReadAllBytes(exported));
        using (FileStream file = File.Create(In("in.safetensors")))
            SafeTensors.Write(
                file, [("x.weight", tensors["u_init.weight"]), ("x.bias", tensors["u_init.bias"])],
                new Dictionary<string, string>(metadata) { [key] = value });
        Refuse(In("in.safetensors"), part);
    }

    [Fact]
    public void A_size_that_does_not_fit_is_refused()
    {
        Stored.AssertRefused(() => WeightFiles.Import(Stored.Vector("port-grey.pth"), In("run"), 32), "28 pixels wide", "--image-size");
        string exported = Stored.Export(Stored.Checkpoint(In("from"), Stored.Spec, size: 8), In("out.safetensors")).Path;
        Stored.AssertRefused(() => WeightFiles.Import(exported, In("run"), 32), "8 pixels wide", "--image-size");
        Assert.Equal(8, ModelFiles.Read(WeightFiles.Import(exported, In("run"), 8)).Size);
    }

    [Fact]
    public void A_folder_with_checkpoints_and_one_that_cannot_be_are_refused()
    {
        string taken = Path.GetDirectoryName(Stored.Checkpoint(In("from"), Stored.Spec))!;
        Stored.AssertRefused(
            () => WeightFiles.Import(Stored.Vector("port-grey.pth"), taken, null), taken, "step-000000007.safetensors", "--save-dir");
        Assert.Single(Directory.GetFiles(taken));
        string file = _folder.Write("file", []);
        Stored.AssertRefused(() => WeightFiles.Import(Stored.Vector("port-grey.pth"), file, null), file, "--save-dir");
    }

    [Theory]
    [InlineData(true, false, false, Objective.Likelihood, Nonlinearity.ConcatElu, "no class conditioning;")]
    [InlineData(
        false, true, false, Objective.Likelihood, Nonlinearity.Relu, "no coordinate channels and no other nonlinearity than concat_elu;")]
    [InlineData(false, false, true, Objective.EnergyDistance, Nonlinearity.ConcatElu, "no non-local block and no energy distance;")]
    public void What_the_port_lacks_is_not_exported_to_it(
        bool classes, bool coordinates, bool nonLocal, Objective objective, Nonlinearity nonlinearity, string part)
    {
        string checkpoint = Stored.Checkpoint(In("from"), Stored.Spec with
        {
            Model = Stored.Spec.Model with
            {
                ClassConditional = classes,
                CoordinateChannels = coordinates,
                NonLocal = nonLocal,
                Objective = objective,
                Nonlinearity = nonlinearity
            },
        });
        Stored.AssertRefused(() => Stored.Export(checkpoint, In("out.pth")), "out.pth", part, ".safetensors");
        Assert.False(File.Exists(In("out.pth")));
    }

    [Fact]
    public void An_output_that_cannot_be_written_is_refused_and_absent()
    {
        string checkpoint = Stored.Checkpoint(In("from"), Stored.Spec);
        byte[] before = File.ReadAllBytes(checkpoint);
        Stored.AssertRefused(() => Stored.Export(checkpoint, In("out.pt")), "out.pt", ".safetensors", ".pth");
        Stored.AssertRefused(() => Stored.Export(checkpoint, checkpoint), "the checkpoint itself");
        Stored.AssertRefused(() => Stored.Export(checkpoint, In("none/out.pth")), "none/out.pth", "cannot be written");
        foreach (string output in new[] { In("full.pth"), In("full.safetensors") })
        {
            Directory.CreateDirectory(output);
            Stored.AssertRefused(() => Stored.Export(checkpoint, output), output, "cannot be written");
        }

        Assert.Empty(Directory.GetFiles(_folder.Path));
        Assert.Equal(before, File.ReadAllBytes(checkpoint));
    }

    [Fact]
    public void A_checkpoint_whose_weights_are_lost_is_not_exported()
    {
        string checkpoint = Stored.Checkpoint(In("from"), Stored.Spec, change: (parameters, layout) =>
            parameters[layout.Slots.Single(slot => slot.Name == "out.g")][0].copy_(tensor(float.NaN)));
        Stored.AssertRefused(
            () => Stored.Export(checkpoint, In("out.safetensors")), checkpoint, "not finite in out;", "earlier checkpoint");
    }

    private void Refuse(string weights, params string[] parts)
    {
        Stored.AssertRefused(() => WeightFiles.Import(weights, In("refused"), null), [weights, .. parts]);
        Assert.False(Directory.Exists(In("refused")));
    }

    public void Dispose() => _folder.Dispose();
}
