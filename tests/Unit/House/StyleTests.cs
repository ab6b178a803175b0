namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>Signatures, records and constructors stay small enough to read.</summary>
public sealed class StyleTests
{
    [Fact]
    public void Code_keeps_to_the_rules()
    {
        string[] breaches =
            [.. SourceTree.Files("*.cs").AsParallel().SelectMany(path => StyleRules.Breaches(path, Repository.Read(path))).Order()];

        Assert.True(breaches.Length == 0, string.Join('\n', breaches));
    }

    [Theory]
    [InlineData("record R(int A, int B, int C, int D, int E, int F, int G);", "a/File.cs:1 R has 7 positions")]
    [InlineData("class C(int a, int b, int c, int d, int e, int f, int g);", "a/File.cs:1 C has 7 parameters")]
    [InlineData("class C\n{\n    void M(int a, int b, int c, int d, int e, int f, int g) { }\n}", "a/File.cs:3 M has 7 parameters")]
    [InlineData("class C\n{\n    C() => (_a, _b, _c, _d) = (1, 2, 3, 4);\n}", "a/File.cs:3 C assigns 4 fields")]
    public void A_breach_is_told_with_file_line_and_member(string code, string told) =>
        Assert.StartsWith(told, Assert.Single(StyleRules.Breaches("a/File.cs", code)), StringComparison.Ordinal);

    [Theory]
    [InlineData("a/File.cs", "record R(int A, int B, int C, int D, int E, int F);")]
    [InlineData("a/File.cs", "class C\n{\n    C() => (_a, _b, _c) = (1, 2, 3);\n}")]
    [InlineData("a/File.cs", "class C\n{\n    C() => (int a, int b, int c, int d) = _all;\n}")]
    [InlineData("a/File.cs", "class C\n{\n    [LoggerMessage]\n    void Log(int a, int b, int c, int d, int e, int f, int g) { }\n}")]
    [InlineData("grains/Model/Kernels/File.cs", "class C\n{\n    void M(int a, int b, int c, int d, int e, int f, int g) { }\n}")]
    public void What_the_rules_allow_is_no_breach(string path, string code) => Assert.Empty(StyleRules.Breaches(path, code));
}
