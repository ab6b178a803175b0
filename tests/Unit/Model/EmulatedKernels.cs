using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using PixelCnnCluster.Model.Kernels.Gpu;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>
/// Kernels.cu on the CPU: compiled as C++, block after block, the threads of a block taking turns from barrier to barrier.
/// </summary>
internal sealed unsafe partial class EmulatedKernels : KernelLibrary
{
    private static readonly Lazy<nint> Library = new(Compile);

    private readonly delegate* unmanaged<byte*, uint, uint, nint*, int, int> _run =
        (delegate* unmanaged<byte*, uint, uint, nint*, int, int>)NativeLibrary.GetExport(Library.Value, "emulate");

    protected override void Launch(string name, uint blocks, uint blockSize, ReadOnlySpan<nint> arguments)
    {
        fixed (byte* text = Encoding.ASCII.GetBytes(name + '\0'))
        fixed (nint* first = arguments)
            Assert.True(
                _run(text, blocks, blockSize, first, arguments.Length) == 0,
                $"Kernels.cu has no kernel {name} with {arguments.Length} parameters.");
    }

    private static nint Compile()
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-kernels-").FullName;
        try
        {
            string source = Resource(typeof(KernelLibrary), "Kernels.cu"), library = Path.Combine(folder, "kernels.so"),
                file = Path.Combine(folder, "kernels.cpp");
            IEnumerable<string> names = KernelNames().Matches(source).Select(match => match.Groups[match.Groups[1].Success ? 1 : 2].Value)
                .SelectMany(name => name.EndsWith('_') ? new[] { name + "float", name + "bf16" } : [name]);
            File.WriteAllText(
                file, Resource(typeof(EmulatedKernels), "Emulation.h").Replace("/* kernels */", source, StringComparison.Ordinal)
                .Replace(
                    "/* table */", string.Concat(names.Select(name => $"{{\"{name}\", call<{name}>, parameters({name})}},\n")),
                    StringComparison.Ordinal));
            using Process compiler = Process.Start(
                new ProcessStartInfo(
                    "g++", ["-std=c++17", "-O2", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", "-o", library,
                        file])
                { RedirectStandardError = true })!;
            string said = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.True(compiler.ExitCode == 0, $"g++ cannot compile Kernels.cu: {said}");
            return NativeLibrary.Load(library);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Resource(Type owner, string name)
    {
        using var reader = new StreamReader(owner.Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    /// <summary>Names that a macro ends with the type end in an underscore here; others are the macro's first argument.</summary>
    [GeneratedRegex(@"extern ""C"" __global__ void (?!name)(\w+)|^ROW_PRODUCT\((\w+)", RegexOptions.Multiline)]
    private static partial Regex KernelNames();
}
