using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PixelCnnCluster.Unit.Tests.House;

/// <summary>How much a reader must hold in mind at once.</summary>
internal static class StyleRules
{
    private const int MostParameters = 6, MostPositions = 6, MostAssigned = 3;

    /// <summary>Kernels take sizes, strides and pointers as plain numbers: their loops must not read them through an object.</summary>
    private const string Kernels = "grains/Model/Kernels/";

    /// <summary>What a file does against the rules, each with file, line and member.</summary>
    public static IEnumerable<string> Breaches(string path, string code)
    {
        SyntaxTree tree = CSharpSyntaxTree.ParseText(code, new CSharpParseOptions(LanguageVersion.Latest));
        foreach (SyntaxNode node in tree.GetRoot().DescendantNodes())
        {
            if (BreachOf(node, path) is { } breach)
                yield return $"{path}:{tree.GetLineSpan(node.Span).StartLinePosition.Line + 1} {MemberOf(node)} {breach}";
        }
    }

    private static string? BreachOf(SyntaxNode node, string path) => node switch
    {
        ParameterListSyntax { Parent: RecordDeclarationSyntax, Parameters.Count: > MostPositions and int count } =>
            $"has {count} positions; write `required init` properties above {MostPositions}",
        BaseParameterListSyntax { Parameters.Count: > MostParameters and int count }
            when !path.StartsWith(Kernels, StringComparison.Ordinal) && !IsLog(node.Parent) =>
            $"has {count} parameters; group those that belong together, {MostParameters} are the most",
        AssignmentExpressionSyntax { Left: TupleExpressionSyntax fields } when FieldsIn(fields) is > MostAssigned and int count
            && node.FirstAncestorOrSelf<ConstructorDeclarationSyntax>() is not null =>
            $"assigns {count} fields at once; give each a line above {MostAssigned}",
        _ => null,
    };

    /// <summary>Variables that the tuple declares are no fields.</summary>
    private static int FieldsIn(TupleExpressionSyntax tuple) =>
        tuple.Arguments.Count(argument => argument.Expression is not DeclarationExpressionSyntax);

    /// <summary>The parameters of a log method are the names in its message, one by one.</summary>
    private static bool IsLog(SyntaxNode? member) => member is MethodDeclarationSyntax method &&
        method.AttributeLists.SelectMany(list => list.Attributes).Any(attribute => attribute.Name.ToString() is "LoggerMessage");

    private static string MemberOf(SyntaxNode node) => node.FirstAncestorOrSelf<MemberDeclarationSyntax>() switch
    {
        BaseTypeDeclarationSyntax type => type.Identifier.Text,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
        MethodDeclarationSyntax method => method.Identifier.Text,
        DelegateDeclarationSyntax type => type.Identifier.Text,
        var member => member?.Kind().ToString() ?? "the program",
    };
}
