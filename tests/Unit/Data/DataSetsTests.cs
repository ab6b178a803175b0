using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Training.Data;

namespace PixelCnnCluster.Unit.Tests.Data;

/// <summary>A data set that is kept in memory is read again when its files change.</summary>
public sealed class DataSetsTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DataSets _sets = new();

    public DataSetsTests()
    {
        for (int i = 0; i < 20; i++)
            Write($"{i:D2}.png", (byte)i);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_that_stay_are_read_once() => Assert.Same(Load(), Load());

    [Fact]
    public void Files_that_are_added_are_read()
    {
        ImageData before = Load();
        for (int i = 20; i < 40; i++)
            Write($"{i:D2}.png", (byte)i);

        Assert.Equal((18, 2), (before.Train.Count, before.Test.Count));
        Assert.Equal((36, 4), (Load().Train.Count, Load().Test.Count));
    }

    [Fact]
    public void A_file_whose_content_changes_is_read_again_and_has_another_fingerprint()
    {
        string before = Load().Fingerprint;
        Write("05.png", 200);
        File.SetLastWriteTimeUtc(Path.Combine(_folder.Path, "05.png"), DateTime.UtcNow.AddMinutes(1));

        string after = Load().Fingerprint;

        Assert.NotEqual(before, after);
        Assert.StartsWith("18 + 2 images of 8x8x1, ", before, StringComparison.Ordinal);
        Assert.Equal(before[..24], after[..24]);
    }

    [Fact]
    public void A_folder_that_is_away_leaves_what_was_read()
    {
        ImageData before = Load();
        Directory.Move(_folder.Path, _folder.Path + "-away");

        Assert.Same(before, Load());

        Directory.Move(_folder.Path + "-away", _folder.Path);
    }

    private ImageData Load() => _sets.Get(DataSet.Folder, _folder.Path, 8);

    private void Write(string name, byte grey) =>
        PictureGrid.Write(Path.Combine(_folder.Path, name), new ImageStack([.. Enumerable.Repeat(grey, 64)], 1, 1, 8));
}
