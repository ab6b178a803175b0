using System.Runtime.InteropServices;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Model.Tensors;

/// <summary>
/// libtorch of an installed PyTorch, for programs that were built without one of their own: what is loaded by its full path before
/// TorchSharp is used is what TorchSharp's own library finds by name.
/// </summary>
public static class TorchLibrary
{
    /// <summary>Configuration key of the folder; in the environment with two underscores.</summary>
    public const string Key = "Torch:NativeLibraryPath";

    /// <summary>
    /// What TorchSharp 0.107 is made for, and the next one, which fits it. Others have the same names and another layout of memory.
    /// </summary>
    private static readonly string[] Versions = ["2.10.", "2.11."];

    /// <summary>In the order that they need each other in; those for GPUs are not in every PyTorch.</summary>
    private static readonly (string Name, bool ForGpus)[] Libraries =
        [("libc10.so", false), ("libtorch_cpu.so", false), ("libc10_cuda.so", true), ("libtorch_cuda.so", true), ("libtorch.so", false)];

    /// <param name="folder">torch/lib of the PyTorch.</param>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    public static void Load(string folder)
    {
        Check(folder, AppContext.BaseDirectory);
        foreach ((string name, bool forGpus) in Libraries)
        {
            string path = Path.Combine(Path.GetFullPath(folder), name);
            if (forGpus && !File.Exists(path))
                continue;
            try
            {
                NativeLibrary.Load(path);
            }
            catch (DllNotFoundException fault)
            {
                throw new UserErrorException(
                    $"{Key} is {folder}, whose {name} cannot be loaded ({fault.Message.Split('\n')[0]}); see that the PyTorch there " +
                    $"works.", fault);
            }
        }
    }

    /// <param name="program">Folder of the program: with a libtorch of its own the process would have two, and end.</param>
    /// <exception cref="UserErrorException">The folder is not that of a PyTorch that fits.</exception>
    internal static void Check(string folder, string program)
    {
        if (Libraries.FirstOrDefault(library => !library.ForGpus && !File.Exists(Path.Combine(folder, library.Name))).Name is { } missing)
            throw new UserErrorException(
                $"{Key} is {folder}, which has no {missing}; name the folder torch/lib of an installed PyTorch 2.10 or 2.11.");
        string version = VersionOf(folder);
        if (!Versions.Any(fit => version.StartsWith(fit, StringComparison.Ordinal)))
            throw new UserErrorException(
                $"{Key} is {folder}, of PyTorch {version}; install PyTorch 2.10 or 2.11, which are what TorchSharp fits.");
        if (Directory.EnumerateFiles(program, "libtorch_cpu.so", SearchOption.AllDirectories).FirstOrDefault() is { } own)
            throw new UserErrorException(
                $"{Key} is {folder}, and the program has a libtorch of its own ({own}); build with -p:TorchInstalled=true, or leave the " +
                $"setting out.");
    }

    /// <summary>As torch/version.py tells it.</summary>
    private static string VersionOf(string folder)
    {
        string path = Path.Combine(folder, "..", "version.py");
        string? line = File.Exists(path)
            ? File.ReadLines(path).FirstOrDefault(line => line.StartsWith("__version__", StringComparison.Ordinal)) : null;
        return line?.Split('\'', '"').ElementAtOrDefault(1) ?? "without a version.py";
    }
}
