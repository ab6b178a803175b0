using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;
using PixelCnnCluster.Unit.Tests.Data;

namespace PixelCnnCluster.Unit.Tests.Pictures;

public sealed class PictureDiskTests : IDisposable
{
    private static readonly ImageStack Images = new(Formats.Pixels(4, 3072), Count: 4, Channels: 3, Size: 32);

    private readonly TempFolder _temp = new();

    public static TheoryData<string, Action<string>> Writers => new()
    {
        { "image.png", path => PictureFile.Write(path, Images.Image(0), 3, 32) },
        { "grid.png", path => PictureGrid.Write(path, Images) },
        { "images.npz", path => NpzFile.Write(path, Images, [1, 2, 3, 4]) },
    };

    public void Dispose() => _temp.Dispose();

    [Theory]
    [MemberData(nameof(Writers), DisableDiscoveryEnumeration = true)]
    public void A_new_file_takes_the_place_of_the_old(string name, Action<string> write)
    {
        string path = _temp.Write(name, new byte[100_000]);

        write(path);

        byte[] first = File.ReadAllBytes(path);
        write(path);
        Assert.Equal(first, File.ReadAllBytes(path));
        Assert.Contains(first, value => value != 0);
        Assert.Equal([path], Directory.GetFiles(_temp.Path));
    }

    [Theory]
    [MemberData(nameof(Writers), DisableDiscoveryEnumeration = true)]
    public void A_folder_in_the_way_is_an_error_of_the_disk(string name, Action<string> write)
    {
        string path = Path.Combine(_temp.Path, name);
        Directory.CreateDirectory(path);

        Exception fault = Assert.ThrowsAny<Exception>(() => write(path));

        Assert.True(fault is IOException or UnauthorizedAccessException, fault.ToString());
        Assert.Empty(Directory.GetFiles(_temp.Path));
    }
}
