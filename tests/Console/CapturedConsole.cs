using PixelCnnCluster.Client;
using PixelCnnCluster.Client.Arguments;

namespace PixelCnnCluster.Console.Tests;

/// <summary>
/// The program in this process. Whoever uses it is in its collection, because what it writes goes to this process's own streams.
/// </summary>
internal static class CapturedConsole
{
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        (TextWriter ownOutput, TextWriter ownError) = (System.Console.Out, System.Console.Error);
        using StringWriter output = new(), error = new();
        System.Console.SetOut(output);
        System.Console.SetError(error);
        Environment.SetEnvironmentVariable(CommonFlags.ClusterVariable, null);
        try
        {
            return (await Commands.RunAsync(args), output.ToString(), error.ToString());
        }
        finally
        {
            System.Console.SetOut(ownOutput);
            System.Console.SetError(ownError);
        }
    }
}
