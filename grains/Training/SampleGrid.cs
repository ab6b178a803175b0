using SkiaSharp;

namespace PixelCnnCluster.Training;

/// <summary>A picture of many images side by side.</summary>
public static class SampleGrid
{
    private const int Gap = 2;
    private const int LeastSide = 480;

    /// <summary>Writes a PNG of images [count, channels, size, size], as square a grid as can be, enlarged by a whole factor.</summary>
    public static void Write(string path, ReadOnlySpan<byte> pixels, int count, int channels, int size)
    {
        int columns = (int)Math.Ceiling(Math.Sqrt(count)), rows = (count + columns - 1) / columns;
        int scale = Math.Max(1, LeastSide / (columns * size));
        int cell = (size * scale) + Gap;
        using var bitmap = new SKBitmap((columns * cell) + Gap, (rows * cell) + Gap, SKColorType.Rgba8888, SKAlphaType.Opaque);
        bitmap.Erase(SKColors.White);
        Span<byte> canvas = bitmap.GetPixelSpan();
        int plane = size * size;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> image = pixels.Slice(i * channels * plane, channels * plane);
            int left = Gap + (i % columns * cell), top = Gap + (i / columns * cell);
            for (int y = 0; y < size * scale; y++)
            {
                for (int x = 0; x < size * scale; x++)
                {
                    int source = (y / scale * size) + (x / scale);
                    int target = (((top + y) * bitmap.Width) + left + x) * 4;
                    for (int c = 0; c < 3; c++)
                        canvas[target + c] = image[(channels == 3 ? c * plane : 0) + source];
                }
            }
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string beside = path + ".part";
        using (FileStream file = File.Create(beside))
            bitmap.Encode(file, SKEncodedImageFormat.Png, 100);
        File.Move(beside, path, overwrite: true);
    }
}
