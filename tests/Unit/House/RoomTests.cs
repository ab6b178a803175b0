using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>Projects use those below them only, and folders do not use one another in a circle.</summary>
public sealed partial class RoomTests
{
    private const int MostLines = 400, MostFiles = 20, MostColumns = 140;

    public static TheoryData<string, string[]> Projects => new()
    {
        { "grains/Contracts/Contracts.csproj", [] },
        { "grains/Model/Model.csproj", ["Contracts"] },
        { "grains/Files/Files.csproj", ["Contracts"] },
        { "grains/Exchange/Exchange.csproj", ["Contracts"] },
        { "grains/Pictures/Pictures.csproj", ["Files"] },
        { "grains/Training/Training.csproj", ["Exchange", "Model", "Pictures"] },
        { "grains/Actors/Actors.csproj", ["Training"] },
        { "silos/Settings/Silo.Settings.csproj", ["Contracts"] },
        { "silos/Silo.csproj", ["Actors", "Silo.Settings"] },
        { "client/Console.csproj", ["Contracts", "Files", "Pictures"] },
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
        string[] found = [.. SourceTree.Files("*.csproj").Where(path => !path.StartsWith("tests/", StringComparison.Ordinal)).Order()];
        Assert.Equal(Projects.Select(row => row.Data.Item1).Order(), found);
        string solution = Repository.Read("PixelCnnCluster.sln");
        Assert.All(SourceTree.Files("*.csproj"), path => Assert.Contains(path.Replace('/', '\\'), solution, StringComparison.Ordinal));
    }

    [Fact]
    public void No_project_compiles_the_source_of_another() => Assert.Empty(
        from path in SourceTree.Files("*.csproj")
        from source in Load(path).Descendants("Compile")
        where ((string?)source.Attribute("Include"))?.Contains("..", StringComparison.Ordinal) == true
        select $"{path} compiles {(string?)source.Attribute("Include")}");

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
        string[] users = [.. SourceTree.Files("*.csproj").Where(path => Load(path).Descendants("PackageReference")
            .Any(reference => ((string)reference.Attribute("Include")!).StartsWith(package, StringComparison.OrdinalIgnoreCase)))
            .Select(path => Path.GetFileNameWithoutExtension(path)!)];
        Assert.NotEmpty(users);
        Assert.All(users, user => Assert.Contains(user, rooms));
    }

    [Fact]
    public void No_file_is_too_long_to_read() =>
        Assert.All(SourceTree.Files("*.cs"), path => Assert.InRange(Repository.Read(path).Count(letter => letter == '\n'), 0, MostLines));

    /// <summary>Texts in raw strings are as wide as they are.</summary>
    [Fact]
    public void No_line_is_too_wide() => Assert.Empty(
        from path in SourceTree.Files("*.cs")
        from line in RawStrings().Replace(Repository.Read(path), "").Split('\n').Index()
        where line.Item.Length > MostColumns
        select $"{path} has a line of {line.Item.Length} columns: {line.Item.Trim()}");

    [Fact]
    public void No_folder_has_too_many_files() =>
        Assert.All(
            SourceTree.Files("*.cs").CountBy(path => Path.GetDirectoryName(path)!), folder => Assert.InRange(folder.Value, 1, MostFiles));

    [Fact]
    public void Folders_do_not_use_one_another_in_a_circle()
    {
        (string, string)[] files = [.. SourceTree.Files("*.cs").Where(path => !path.StartsWith("tests/", StringComparison.Ordinal))
            .Select(path => (path, SourceTree.CodeOf(path)))];

        Assert.Null(new FolderGraph(files).Circle() is { } circle ? string.Join('\n', circle) : null);
    }

    [Fact]
    public void A_circle_is_found_and_told_with_its_files()
    {
        var graph = new FolderGraph(
        [
            ("a/Upper.cs", "using P.B;\nnamespace P.A;\nclass Upper { Lower x; }"),
            ("b/Lower.cs", "namespace P.B;\nclass Lower { }"),
            ("b/Other.cs", "using P.A;\nnamespace P.B;\nclass Other { Upper y; }"),
        ]);

        Assert.Equal(["a -> b: a/Upper.cs uses Lower", "b -> a: b/Other.cs uses Upper"], graph.Circle());
    }

    private static XDocument Load(string project) => XDocument.Parse(Repository.Read(project));

    [GeneratedRegex("\"{3}.*?\"{3}", RegexOptions.Singleline)]
    private static partial Regex RawStrings();
}
