using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Training.Weights;
using PixelCnnCluster.Unit.Tests.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace PixelCnnCluster.Unit.Tests.Weights;

/// <summary>PyTorch itself reads what is exported, and what it saves is imported: both compute the same logits.</summary>
[Trait("Needs", "processes")]
public sealed class PyTorchWeightTests : IClassFixture<PyTorchWeightTests.Interpreter>, IDisposable
{
    private readonly Interpreter _pytorch;
    private readonly TempFolder _folder = new();

    public PyTorchWeightTests(Interpreter pytorch) => _pytorch = pytorch;

    [Theory]
    [InlineData(1, 4, 1, 3, 28)]
    [InlineData(3, 6, 2, 2, 32)]
    public void An_export_loads_strictly_as_weights_only(int channels, int filters, int blocks, int mixtures, int size)
    {
        string checkpoint = Stored.Checkpoint(
            In("run"), Stored.Spec with
            {
                Model = Stored.Spec.Model with { Filters = filters, Blocks = blocks, Mixtures = mixtures },
            }, channels, size);
        string exported = Stored.Export(checkpoint, In("out.pth")).Path;
        float[] logits = Run("load", exported, channels, filters, blocks, mixtures, size);
        Stored.AssertClose(Logits(checkpoint, channels, size), logits, 1e-4f);
    }

    [Theory]
    [InlineData(1, 4, 1, 3, 28)]
    [InlineData(3, 6, 2, 2, 32)]
    public void What_a_data_parallel_trainer_saves_is_imported(int channels, int filters, int blocks, int mixtures, int size)
    {
        float[] logits = Run("save", In("in.pth"), channels, filters, blocks, mixtures, size);
        string checkpoint = WeightFiles.Import(In("in.pth"), In("run"), null);
        ModelInfo model = ModelFiles.Read(checkpoint);
        Assert.Equal(
            (channels, size, filters, blocks, mixtures),
            (model.Channels, model.Size, model.Spec.Model.Filters, model.Spec.Model.Blocks, model.Spec.Model.Mixtures));
        Stored.AssertClose(logits, Logits(checkpoint, channels, size), 1e-4f);
    }

    private string In(string name) => Path.Combine(_folder.Path, name);

    private static float[] Logits(string checkpoint, int channels, int size)
    {
        using DisposeScope scope = NewDisposeScope();
        byte[] bytes = [.. Enumerable.Range(0, 2 * channels * size * size).Select(i => (byte)(i * 37))];
        return Stored.Outputs(checkpoint, ImageScaling.FromBytes(tensor(bytes, [2, channels, size, size], ScalarType.Byte)));
    }

    private float[] Run(string action, string weights, params int[] network)
    {
        _pytorch.Do([action, weights, .. network.Select(number => number.ToString(CultureInfo.InvariantCulture)), In("logits")]);
        return MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(In("logits"))).ToArray();
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>One interpreter for all tests: it takes seconds to load PyTorch.</summary>
    public sealed class Interpreter : IDisposable
    {
        /// <summary>The distribution's own, for which tests/run installs PyTorch.</summary>
        private const string Python = "/usr/bin/python3";

        private readonly Process _process;
        private readonly Task<string> _errors;

        public Interpreter()
        {
            Assert.True(File.Exists(Python), $"{Python} is missing: install python3-torch, as tests/run does.");
            _process = Process.Start(new ProcessStartInfo(Python, [Path.Combine(AppContext.BaseDirectory, "port_network.py")])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            _errors = _process.StandardError.ReadToEndAsync();
        }

        internal void Do(string[] words)
        {
            _process.StandardInput.WriteLine(string.Join('\t', words));
            if (_process.StandardOutput.ReadLine() is not null)
                return;
            string said = _errors.GetAwaiter().GetResult();
            Assert.False(
                said.Contains("No module named 'torch'", StringComparison.Ordinal),
                "PyTorch is missing: install python3-torch, as tests/run does.");
            Assert.Fail(said);
        }

        public void Dispose()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
