using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using PixelCnnCluster.Client.Arguments;

namespace PixelCnnCluster.Client;

/// <summary>The console's commands.</summary>
public static class Commands
{
    private const string TrainExamples = """
        Examples:
          train                                        digits appear within minutes
          train --data-set cifar --nr-filters 96       CIFAR-10 with a smaller model than the published one
          train --data-set mnist -c --max-epochs 20    MNIST, conditioned on the labels
          train --load-params runs/mine -x 40          continue a run up to epoch 40
          train --json > run.jsonl                     for programs

        Ctrl+C finishes the step, saves, and says how to continue.

        """;

    /// <summary>Without bundling, <c>-ed</c> is the flag of that name and not <c>-e d</c>.</summary>
    public static ParseResult Parse(IReadOnlyList<string> args) =>
        Root().Parse(args.Count == 0 ? ["--help"] : args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });

    /// <summary>Runs the command line and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var result = Parse(args);
        if (result.Action is not ParseErrorAction)
        {
            // Ctrl+C is the command's own matter: it finishes the step.
            return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }

        // The command itself tells what the parser could not place together with the mistakes that only it can see.
        return result.CommandResult.Command.Name == "train"
            ? await TrainCommand.RunAsync(result)
            : Failure.Report(ExitCode.UserError, result.Errors.Select(error => $"{error.Message} See --help."), json: false);
    }

    private static RootCommand Root()
    {
        var train = new Command("train", "Train a PixelCNN++ on this machine: one process per worker, stopped when the run ends.");
        foreach (var flag in TrainFlags.All)
            train.Options.Add(flag.Option);
        train.SetAction((result, _) => TrainCommand.RunAsync(result));

        var root = new RootCommand("Trains PixelCNN++ image models on a cluster of processes. Start with: train") { train };
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!, train);
        return root;
    }

    private sealed class HelpWithExamples(HelpAction plain, Command train) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            plain.Invoke(parseResult);
            if (parseResult.CommandResult.Command == train)
                parseResult.InvocationConfiguration.Output.Write(TrainExamples);
            return ExitCode.Success;
        }
    }
}
