using PixelCnnCluster.Files;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Files;

public sealed class WholeFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void A_disk_that_fills_leaves_the_old_file_and_nothing_beside()
    {
        string path = _folder.Write("file", [1, 2, 3]);

        IOException fault = Assert.Throws<IOException>(() => WholeFile.Write(path, file =>
        {
            file.Write(new byte[3 << 20]);
            throw new IOException("the disk is full");
        }));

        Assert.Equal("the disk is full", fault.Message);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    /// <summary>Whoever may write to the folder knows the name of the file, and not that of what is written beside it.</summary>
    [Fact]
    public void A_link_in_the_files_place_goes_and_what_it_led_to_stays()
    {
        string outside = _folder.Write("outside", [7]), path = Path.Combine(_folder.Path, "file");
        File.CreateSymbolicLink(path, outside);
        HashSet<string> beside = [];

        for (int i = 0; i < 2; i++)
        {
            WholeFile.Write(path, file =>
            {
                file.WriteByte(1);
                beside.UnionWith(Directory.GetFiles(_folder.Path, "*.part"));
            });
        }

        Assert.Equal(2, beside.Count);
        Assert.Null(new FileInfo(path).LinkTarget);
        Assert.Equal([1], File.ReadAllBytes(path));
        Assert.Equal([7], File.ReadAllBytes(outside));
    }

    public void Dispose() => _folder.Dispose();
}
