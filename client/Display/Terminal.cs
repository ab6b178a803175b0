using Spectre.Console;

namespace PixelCnnCluster.Client.Display;

/// <summary>What standard output leads to.</summary>
internal static class Terminal
{
    /// <summary>Somebody looks at a terminal, which can be drawn on.</summary>
    public static bool IsInteractive =>
        AnsiConsole.Profile.Capabilities is { Ansi: true, Interactive: true } && !Console.IsOutputRedirected;
}
