using System.Globalization;
using PixelCnnCluster.Client.Arguments;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Pictures;

namespace PixelCnnCluster.Client.Models;

/// <summary>Where images go: one picture of all, a NumPy file, or a folder with a file of each.</summary>
/// <param name="Path">As given; its ending says which.</param>
/// <param name="Flag">The flag that gives it.</param>
public sealed record PictureOutput(string Path, string Flag)
{
    /// <summary>Of 64x64 pixels they make one of 4,200 by 4,200.</summary>
    private const int MostInPicture = 4096;

    /// <summary>A picture named after the time, so that none is overwritten.</summary>
    public static PictureOutput Default(string what, DateTimeOffset now) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{what}-{now:yyyyMMdd-HHmmss}.png"), ModelFlags.Output.Name);

    /// <summary>It is one picture of all.</summary>
    public bool IsPng => Ending == ".png";

    private bool IsFile => Ending is ".png" or ".npz";

    private string Ending => System.IO.Path.GetExtension(Path).ToLowerInvariant();

    /// <summary>Finds before the work what would be in the way after it.</summary>
    /// <param name="count">Images that will go there.</param>
    /// <exception cref="UserErrorException">The path cannot be written to.</exception>
    public void Check(int count)
    {
        if (IsPng && count > MostInPicture)
            throw new UserErrorException(
                $"{Flag} {Path} is one picture, which has room for {MostInPicture} images, not {count}; give a name that ends in .npz or " +
                $"that of a folder.");
        if (IsFile && Directory.Exists(Path))
            throw new UserErrorException($"{Flag} {Path} is a folder; give another name.");
        if (!IsFile && File.Exists(Path))
            throw new UserErrorException($"{Flag} {Path} is a file; give a name that ends in .png or .npz, or that of a folder.");
        Write(() =>
        {
            string folder = Directory.CreateDirectory(
                IsFile ? System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))! : Path).FullName;
            using var probe = new FileStream(
                System.IO.Path.Combine(folder, $".{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1,
                FileOptions.DeleteOnClose);
        });
    }

    /// <param name="grid">All images in one picture, and its number of columns; null for as square as can be.</param>
    /// <param name="names">File name of each image, without its ending.</param>
    /// <exception cref="UserErrorException">The path cannot be written to.</exception>
    public void Write(ImageStack images, int[]? labels, (ImageStack Images, int? Columns) grid, Func<int, string> names) => Write(() =>
    {
        switch (Ending)
        {
            case ".png":
                PictureGrid.Write(Path, grid.Images, grid.Columns);
                break;
            case ".npz":
                NpzFile.Write(Path, images, labels);
                break;
            default:
                for (int i = 0; i < images.Count; i++)
                    PictureFile.Write(System.IO.Path.Combine(Path, $"{names(i)}.png"), images.Image(i), images.Channels, images.Size);
                break;
        }
    });

    /// <summary>Writes one picture.</summary>
    /// <exception cref="UserErrorException">The path cannot be written to.</exception>
    public void WriteGrid(ImageStack images, int columns) => Write(() => PictureGrid.Write(Path, images, columns));

    private void Write(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{Flag} {Path} cannot be written ({e.Message.TrimEnd('.')}); give another path.", e);
        }
    }
}
