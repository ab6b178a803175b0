using System.Xml.Linq;

namespace PixelCnnCluster.Tests;

/// <summary>Contracts, Model, Training, Actors and Silo use one another in this order only; the console uses Contracts and Pictures alone.</summary>
public sealed class HouseTests
{
    private const int MostLines = 320;

    private static readonly string Root = FindRoot();

    public static TheoryData<string, string[]> Projects => new()
    {
        { "grains/Contracts/Contracts.csproj", [] },
        { "grains/Model/Model.csproj", ["Contracts"] },
        { "grains/Pictures/Pictures.csproj", ["Contracts"] },
        { "grains/Training/Training.csproj", ["Model", "Pictures"] },
        { "grains/Actors/Actors.csproj", ["Training"] },
        { "silos/Silo.csproj", ["Actors"] },
        { "client/Console.csproj", ["Contracts", "Pictures"] },
    };

    [Theory]
    [MemberData(nameof(Projects))]
    public void Projects_refer_to_those_below_them_only(string project, string[] below)
    {
        string[] linked = [.. Load(project).Descendants("ProjectReference")
            .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
            .Select(reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!))];
        Assert.Equal(below, linked);
    }

    [Fact]
    public void Every_project_outside_the_tests_has_its_place()
    {
        string[] found = [.. Sources("*.csproj").Where(path => !path.StartsWith("tests/", StringComparison.Ordinal)).Order()];
        Assert.Equal(Projects.Select(row => row.Data.Item1).Order(), found);
        string solution = File.ReadAllText(Path.Combine(Root, "PixelCnnCluster.sln"));
        Assert.All(Sources("*.csproj"), path => Assert.Contains(path.Replace('/', '\\'), solution, StringComparison.Ordinal));
    }

    [Fact]
    public void The_console_builds_the_silo_without_linking_it()
    {
        XElement silo = Load("client/Console.csproj").Descendants("ProjectReference")
            .Single(reference => ((string)reference.Attribute("Include")!).EndsWith("Silo.csproj", StringComparison.Ordinal));
        Assert.Equal(("false", "false"), ((string?)silo.Attribute("ReferenceOutputAssembly"), (string?)silo.Attribute("Private")));
    }

    [Theory]
    [InlineData("TorchSharp", "Model")]
    [InlineData("libtorch", "Model")]
    [InlineData("SkiaSharp", "Pictures")]
    [InlineData("Microsoft.Orleans.Server", "Actors", "Silo", "Console.Tests", "Benchmarks")]
    public void Packages_stay_in_their_rooms(string package, params string[] rooms)
    {
        string[] users = [.. Sources("*.csproj").Where(path => Load(path).Descendants("PackageReference")
            .Any(reference => ((string)reference.Attribute("Include")!).StartsWith(package, StringComparison.OrdinalIgnoreCase)))
            .Select(path => Path.GetFileNameWithoutExtension(path)!)];
        Assert.NotEmpty(users);
        Assert.All(users, user => Assert.Contains(user, rooms));
    }

    [Fact]
    public void No_file_is_too_long_to_read()
    {
        string[] sources = [.. Sources("*.cs")];
        Assert.True(sources.Length > 50);
        Assert.All(sources, path => Assert.InRange(File.ReadLines(Path.Combine(Root, path)).Count(), 0, MostLines));
    }

    private static XDocument Load(string project) => XDocument.Load(Path.Combine(Root, project));

    /// <summary>Files of the repository, relative to its root, without those that a build writes.</summary>
    private static IEnumerable<string> Sources(string pattern) =>
        Directory.EnumerateDirectories(Root).Where(folder => Path.GetFileName(folder) is "silos" or "grains" or "client" or "tests")
            .SelectMany(folder => Directory.EnumerateFiles(folder, pattern, SearchOption.AllDirectories))
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj"));

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "PixelCnnCluster.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException($"No PixelCnnCluster.sln above {AppContext.BaseDirectory}.");
    }
}
