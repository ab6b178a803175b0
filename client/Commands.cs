using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Client.Models;

namespace PixelCnnCluster.Client;

/// <summary>The console's commands.</summary>
public static class Commands
{
    private static readonly IReadOnlyList<ConsoleCommand> All =
    [
        new("train", "Train a PixelCNN++: on a shared cluster, or without --cluster on this machine, with one process per worker, " +
            "stopped when the run ends.",
            [.. TrainFlags.All], TrainCommand.RunAsync,
            """
              train                                        digits appear within minutes
              train --data-set cifar --nr-filters 96       CIFAR-10 with a smaller model than the published one
              train --data-set mnist -c --max-epochs 20    MNIST, conditioned on the labels
              train --load-params runs/mine -x 40          continue a run up to epoch 40
              train --json > run.jsonl                     for programs
              train --cluster redis:6379 -d cifar -i /data -o /runs/mine
                                                           on a shared cluster, with its own folders

            Ctrl+C finishes the step, saves, and says how to continue. On a shared cluster it leaves the run to the cluster.
            """),
        new("sample", "Sample images from a trained model.", ModelFlags.OfSample, SampleCommand.SampleAsync,
            """
              sample                                       16 images from the newest checkpoint in runs/
              sample --model runs/mine --count 64 -o digits.png
                                                           one picture of 64
              sample --count 10000 --output samples.npz    for NumPy: arr_0 [N, H, W, C]
              sample --class 7 --mixture-temperature 0.8   of one class, keeping to what is likelier
              sample --cluster redis:6379 --model mine     from a run, also one that is training
            """),
        new("complete", "Keep a part of each image and sample the rest several times.", ModelFlags.OfComplete, SampleCommand.CompleteAsync,
            """
              complete seven.png                           the lower half, four times
              complete a.png b.png --keep 10 --count 8     all but the first ten rows
              complete face.png --keep mask.png            all that is black in the mask

            A pixel is sampled from those above it and to its left; what is kept below it has no say.
            """, ModelFlags.Images),
        new("score", "Tell the bits/dim of images, each by itself.", ModelFlags.OfScore, ScoreCommand.ScoreAsync,
            """
              score seven.png zebra.png                    how likely the model finds each
              score --data-set mnist --csv > scores.csv    all test images of MNIST
              score *.png --map bits.png                   a picture of where the bits went
              score --data-set digits --train --count 100 --json
                                                           for programs, the first hundred training images

            Spread over the samplers of a cluster; the scores do not depend on how.
            """, ModelFlags.Images),
        new("evaluate", "Tell the test bits/dim of a model.", ModelFlags.OfEvaluate, ScoreCommand.EvaluateAsync,
            """
              evaluate                                     the newest checkpoint in runs/, on its own test images
              evaluate --model runs/mine --data-set fashion-mnist
                                                           on another data set
              evaluate --train                             on the training images
              evaluate --cluster redis:6379 --model mine   a run, also one that is training
            """),
        new("export", "Write a model's weights for other programs.", ModelFlags.OfExport, WeightsCommand.ExportAsync,
            """
              export --model runs/mine -o mine.safetensors plain weights, for any network
              export --model runs/mine -o mine.pth         for load_state_dict of the common PyTorch port

            What is written is the Polyak average, which is what is scored and sampled.
            """),
        new("import", "Make a checkpoint of a file of weights; it trains on, samples and " +
            "scores.", ModelFlags.OfImport, WeightsCommand.ImportAsync,
            """
              import pcnn_lr.pth                           of the common PyTorch port; nothing in the file is executed
              import mine.safetensors --save-dir runs/mine as export writes it
            """, ModelFlags.Weights),
        new("runs", "List the runs of a cluster.", [CommonFlags.Cluster, CommonFlags.Json], ClusterCommands.RunsAsync,
            """
              runs --cluster redis:6379                    all runs, the newest first
              runs --json                                  for programs, of the cluster that PIXELCNN_CLUSTER names
              runs show mine                               one run: its settings and what happened to it
            """),
        new("runs show", "Show one run: its settings, and every event but its steps.", [CommonFlags.Cluster,
            CommonFlags.Json], ClusterCommands.ShowAsync,
            """
              runs show mine                               generations and their causes, scores, checkpoints, faults
              runs show mine --json                        for programs: the overview, then the events
            """, ClusterRequest.RunArgument),
        new("watch", "Follow a run from its beginning until it is over; Ctrl+C leaves it to the cluster.", [CommonFlags.Cluster,
            CommonFlags.Json], ClusterCommands.WatchAsync,
            """
              watch mine                                   live, as train shows it; for a run that is over, how it went
              watch mine --json > mine.jsonl               all events
            """, ClusterRequest.RunArgument),
        new("stop", "Stop a run after the step in progress, with a checkpoint, and wait until it has.", [CommonFlags.Cluster,
            CommonFlags.Detach, CommonFlags.Json], ClusterCommands.StopAsync,
            """
              stop mine                                    save and stop
              stop mine --detach                           the same, without waiting
            """, ClusterRequest.RunArgument),
        new("checkpoint", "Save a run as it is now, and print the checkpoint's path; of a run that does not train, that of its newest.",
            [CommonFlags.Cluster, CommonFlags.Json], ClusterCommands.CheckpointAsync,
            """
              checkpoint mine                              while it trains on
            """, ClusterRequest.RunArgument),
        new("resume", "Let a run that was stopped or has failed go on from its newest checkpoint, and follow it.", [CommonFlags.Cluster,
            CommonFlags.Detach, CommonFlags.Json], ClusterCommands.ResumeAsync,
            """
              resume mine                                  go on and watch
              resume mine --detach                         go on
            """, ClusterRequest.RunArgument),
        new("cluster", "List the workers of a cluster and what each is at.", [CommonFlags.Cluster,
            CommonFlags.Json], ClusterCommands.WorkersAsync,
            """
              cluster --cluster redis:6379/blue            of the cluster with the id blue
              cluster --json                               for programs
            """),
    ];

    private static readonly RootCommand Root = Assemble();

    /// <summary>Without bundling, <c>-ed</c> is the flag of that name and not <c>-e d</c>.</summary>
    public static ParseResult Parse(IReadOnlyList<string> args) =>
        Root.Parse(
            args.Count == 0 ? ["--help"] : args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });

    /// <summary>Runs the command line and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        ParseResult result = Parse(args);
        if (result.Action is not ParseErrorAction)
        {
            // Ctrl+C is the command's own matter: it finishes the step.
            return await result.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }

        // The command itself tells what the parser could not place together with the mistakes that only it can see.
        return Find(result) is { } command
            ? await command.RunAsync(result)
            : Failure.Report(ExitCode.UserError, result.Errors.Select(error => $"{error.Message} See --help."), json: false);
    }

    private static ConsoleCommand? Find(ParseResult result) =>
        All.FirstOrDefault(command => command.Command == result.CommandResult.Command);

    private static RootCommand Assemble()
    {
        var root = new RootCommand("Trains PixelCNN++ image models on a cluster of processes. Start with: train");
        foreach (ConsoleCommand command in All)
            (All.FirstOrDefault(other => command.Words == $"{other.Words} {command.Command.Name}")?.Command
                ?? root).Subcommands.Add(command.Command);
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return root;
    }

    private sealed class ConsoleCommand
    {
        /// <param name="words">How it is typed; a command of two words is part of the one of the first word.</param>
        /// <param name="argument">What follows besides flags; null for nothing.</param>
        public ConsoleCommand(
            string words, string help, IEnumerable<Flag> flags, Func<ParseResult, Task<int>> run, string examples,
            Argument? argument = null)
        {
            (Words, RunAsync, Examples) = (words, run, examples);
            Command = new Command(words.Split(' ')[^1], help);
            if (argument is not null)
                Command.Arguments.Add(argument);
            foreach (Flag flag in flags)
                Command.Options.Add(flag.Option);
            Command.SetAction((result, _) => run(result));
        }

        public string Words { get; }

        public Func<ParseResult, Task<int>> RunAsync { get; }

        public string Examples { get; }

        public Command Command { get; }
    }

    private sealed class HelpWithExamples(HelpAction plain) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            plain.Invoke(parseResult);
            if (Find(parseResult) is { } command)
                parseResult.InvocationConfiguration.Output.Write($"Examples:\n{command.Examples}\n\n");
            return ExitCode.Success;
        }
    }
}
