using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Training.Checkpoints;
using PixelCnnCluster.Training.History;
using PixelCnnCluster.Unit.Tests.Data;
using PixelCnnCluster.Unit.Tests.Training;

namespace PixelCnnCluster.Unit.Tests.Strangers;

/// <summary>Who may write to a run's folder can put links there; nothing outside is changed or read through them.</summary>
public sealed class PlantedLinkTests : IDisposable
{
    private static readonly byte[] Content = [1, 2, 3];

    private readonly TempFolder _folder = new(), _elsewhere = new();
    private readonly string _outside;

    public PlantedLinkTests() => _outside = _elsewhere.Write("outside", Content);

    [Fact]
    public void A_history_is_not_appended_to_what_a_link_leads_to()
    {
        RunFolder.Make(_folder.Path);
        string history = Path.Combine(_folder.Path, HistoryFile.Name);
        File.Delete(history);
        File.CreateSymbolicLink(history, _outside);

        IOException append = Assert.Throws<IOException>(
            () => new HistoryFile(_folder.Path).Append([new HistoryEntry(1, new WorkersAwaited(1))]));
        IOException make = Assert.Throws<IOException>(() => RunFolder.Make(_folder.Path));

        Assert.Equal($"{history} is a link to {_outside}; put the file itself there", append.Message);
        Assert.Equal(append.Message, make.Message);
        Assert.Equal(Content, File.ReadAllBytes(_outside));
    }

    [Fact]
    public void A_run_does_not_make_the_file_that_a_link_leads_to()
    {
        string none = Path.Combine(_elsewhere.Path, "none");
        File.CreateSymbolicLink(Path.Combine(_folder.Path, HistoryFile.Name), none);

        Assert.Throws<IOException>(() => RunFolder.Make(_folder.Path));

        Assert.False(File.Exists(none));
    }

    [Fact]
    public void A_held_checkpoint_marks_no_other_file()
    {
        string checkpoint = _folder.Write("step-000000001.safetensors", []);
        File.CreateSymbolicLink(checkpoint + ".held", _outside);

        CheckpointFolder.Hold(checkpoint);

        Assert.Equal(Content, File.ReadAllBytes(_outside));
    }

    [Fact]
    public void A_link_among_the_checkpoints_is_neither_taken_nor_scored()
    {
        using var run = TinyRun.Start(TinyRun.Small);
        string other = Path.Combine(_elsewhere.Path, "step-000000005.safetensors"),
            link = Path.Combine(_folder.Path, "step-000000005.safetensors");
        run.Checkpoint().Write(other);
        byte[] before = File.ReadAllBytes(other);
        File.CreateSymbolicLink(link, other);

        Assert.Empty(CheckpointHeader.NewestFirst(_folder.Path));
        Assert.Throws<IOException>(() => Checkpoint.AddScore(link, 1));
        Assert.Equal(before, File.ReadAllBytes(other));
    }

    [Fact]
    public async Task Curves_go_to_files_whose_names_nobody_knows_before()
    {
        string[] names = [];
        for (int i = 0; i < 2; i++)
        {
            using var folder = new TempFolder();
            RunFolder.Make(folder.Path);
            var writer = new HistoryWriter(folder.Path, TimeProvider.System, fault => throw fault);
            writer.Add(new HistoryEntry(1, Training.History.HistoryEvents.Step(1)));
            await writer.FlushAsync();
            names = [.. names, Path.GetFileName(Assert.Single(Directory.GetFiles(folder.Path, "*tfevents*")))];
        }

        Assert.All(names, name => Assert.True(Guid.TryParse(name.Split('.')[^1], out _), name));
        Assert.NotEqual(names[0].Split('.')[^1], names[1].Split('.')[^1]);
    }

    public void Dispose()
    {
        _folder.Dispose();
        _elsewhere.Dispose();
    }
}
