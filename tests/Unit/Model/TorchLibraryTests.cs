using PixelCnnCluster.Contracts;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Model;

/// <summary>A PyTorch that does not fit is refused before anything of it is loaded, with a sentence that names the remedy.</summary>
public sealed class TorchLibraryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Libraries => Path.Combine(_folder.Path, "torch", "lib");

    private string Program => Path.Combine(_folder.Path, "program");

    public TorchLibraryTests()
    {
        Directory.CreateDirectory(Program);
        Directory.CreateDirectory(Libraries);
        foreach (string name in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
            File.WriteAllText(Path.Combine(Libraries, name), "");
        File.WriteAllText(
            Path.Combine(Libraries, "..", "version.py"), "from typing import Optional\n__version__ = '2.10.1+cu128'\ndebug = False\n");
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("2.10.1+cu128")]
    [InlineData("2.11.0+cu130")]
    public void A_PyTorch_that_fits(string version)
    {
        File.WriteAllText(Path.Combine(Libraries, "..", "version.py"), $"__version__ = '{version}'");
        TorchLibrary.Check(Libraries, Program);
    }

    [Theory]
    [InlineData("libc10.so")]
    [InlineData("libtorch.so")]
    public void A_folder_without_the_libraries(string missing)
    {
        File.Delete(Path.Combine(Libraries, missing));
        AssertRefused(missing);
    }

    [Theory]
    [InlineData("__version__ = '1.13.0a0'", "1.13.0a0")]
    [InlineData("__version__ = \"2.1.0\"", "2.1.0")]
    [InlineData("", "without a version.py")]
    public void Another_version(string text, string told)
    {
        File.WriteAllText(Path.Combine(Libraries, "..", "version.py"), text);
        AssertRefused(told);
    }

    [Fact]
    public void A_program_with_a_libtorch_of_its_own()
    {
        string own = Path.Combine(Directory.CreateDirectory(Path.Combine(Program, "runtimes")).FullName, "libtorch_cpu.so");
        File.WriteAllText(own, "");
        AssertRefused(own);
    }

    private void AssertRefused(string reason)
    {
        string told = Assert.Throws<UserErrorException>(() => TorchLibrary.Check(Libraries, Program)).Message;
        Assert.StartsWith($"Torch:NativeLibraryPath is {Libraries}, ", told, StringComparison.Ordinal);
        Assert.Contains(reason, told, StringComparison.Ordinal);
    }
}
