using System.CommandLine;
using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Training;
using PixelCnnCluster.Training.Data;
using PixelCnnCluster.Training.Devices;
using SkiaSharp;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// Reading a data set as npz, tar or folder: how long, and how much memory beside the images' own bytes; and how long a step waits for its
/// images then, against the step. The images are noise, which compresses worst.
/// </summary>
internal static class DataLoading
{
    public static Command Command()
    {
        Option<int> images = new("--images")
        {
            DefaultValueFactory = _ => 50_000,
            Description = "Training images; a tenth as many for testing."
        };
        Option<int> size = new("--size") { DefaultValueFactory = _ => 32, Description = "Side in pixels, 32 or 64." };
        var command = new Command("data", "Reading a data set from npz, tar and folder.") { images, size };
        command.SetAction(parsed =>
        {
            foreach ((string format, DataSet set,
                Action<string, int, int> make) in new (string, DataSet, Action<string, int, int>)[] { ("npz", DataSet.ImageNet, MakeNpz),
                    ("tar", DataSet.ImageNet, MakeTar), ("folder", DataSet.Folder, MakeFolder) })
                Measure(format, set, make, parsed.GetValue(images), parsed.GetValue(size));
        });
        return command;
    }

    private static void Measure(string format, DataSet set, Action<string, int, int> make, int images, int size)
    {
        string folder = Directory.CreateTempSubdirectory("pixelcnn-data-").FullName;
        make(folder, images, size);
        long before = Heap();
        var clock = Stopwatch.StartNew();
        Task<ImageData> reading = Task.Run(() => ImageDataSets.Load(set, folder, size));
        long most = 0;
        while (!reading.Wait(20))
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false) - before);
        double seconds = clock.Elapsed.TotalSeconds;
        long held = Heap() - before;
        ImageData data = reading.Result;
        long bytes = (data.Train.Count + data.Test.Count) * 3L * size * size;
        (double batch, double step) = Steps(data);
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            format,
            images = data.Train.Count + data.Test.Count,
            mb = bytes / 1e6,
            read_s = seconds,
            images_per_s = (data.Train.Count + data.Test.Count) / seconds,
            held_beside_mb = (held - bytes) / 1e6,
            most_beside_mb = (Math.Max(most, held) - bytes) / 1e6,
            longest_batch_ms = batch * 1e3,
            step_ms = step * 1e3,
            batch_in_steps = batch / step,
        }));
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The longest that a step's images took to be there, and the median step, of a small network.</summary>
    private static (double Batch, double Step) Steps(ImageData data)
    {
        var spec = new RunSpec
        {
            Model = new() { Filters = 16, Blocks = 1, Mixtures = 5 },
            Optimiser = new() { Shards = 1, BatchSize = 16 },
        };
        using var threads = new DeviceThreads(1);
        using var replica = new Replica(spec, data, threads);
        var worker = new LoneWorker(replica, spec);
        var order = new DataOrder(data.Train.Count, spec.Optimiser.BatchSize, spec.Optimiser.Shards, spec.Optimiser.Seed);
        List<double> batches = [], steps = [];
        threads.RunAsync(() =>
        {
            replica.Initialise();
            for (int step = 0; step < 20; step++)
            {
                var clock = Stopwatch.StartNew();
                using (data.Train.ToTensor(order.ImagesOf(step, 0), threads.Device))
                    batches.Add(clock.Elapsed.TotalSeconds);
                clock.Restart();
                worker.Step();
                steps.Add(clock.Elapsed.TotalSeconds);
            }

            return true;
        }).GetAwaiter().GetResult();
        return (batches.Skip(3).Max(), steps.Median());
    }

    private static long Heap()
    {
        GC.Collect();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static void MakeNpz(string folder, int images, int size)
    {
        Write("train_data_batch_1.npz", images);
        Write("val_data.npz", images / 10);

        void Write(string name, int count)
        {
            using ZipArchive zip = new(File.Create(Path.Combine(folder, name)), ZipArchiveMode.Create);
            var random = new Random(1);
            byte[] image = new byte[3 * size * size];
            using (Stream data = Member(zip, "data.npy", "|u1", $"({count}, {image.Length})"))
            {
                for (int i = 0; i < count; i++)
                {
                    random.NextBytes(image);
                    data.Write(image);
                }
            }

            using Stream labels = Member(zip, "labels.npy", "<i8", $"({count},)");
            for (int i = 0; i < count; i++)
                labels.Write(BitConverter.GetBytes(1L + (i % 1000)));
        }

        static Stream Member(ZipArchive zip, string name, string type, string shape)
        {
            Stream member = zip.CreateEntry(name, CompressionLevel.Fastest).Open();
            string header = $"{{'descr': '{type}', 'fortran_order': False, 'shape': {shape}, }}".PadRight(117) + "\n";
            member.Write([0x93, .. Encoding.ASCII.GetBytes("NUMPY"), 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header)]);
            return member;
        }
    }

    private static void MakeTar(string folder, int images, int size)
    {
        Write($"train_{size}x{size}.tar", images);
        Write($"valid_{size}x{size}.tar", images / 10);

        void Write(string name, int count)
        {
            using TarWriter tar = new(File.Create(Path.Combine(folder, name)));
            foreach ((int i, byte[] png) in Pngs(count, size).Index())
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{i:D7}.png") { DataStream = new MemoryStream(png) });
        }
    }

    private static void MakeFolder(string folder, int images, int size)
    {
        foreach ((string half, int count) in new[] { ("train", images), ("test", images / 10) })
        {
            Directory.CreateDirectory(Path.Combine(folder, half, "all"));
            foreach ((int i, byte[] png) in Pngs(count, size).Index())
                File.WriteAllBytes(Path.Combine(folder, half, "all", $"{i:D7}.png"), png);
        }
    }

    private static IEnumerable<byte[]> Pngs(int count, int size)
    {
        var random = new Random(1);
        using SKBitmap bitmap = new(size, size, SKColorType.Rgba8888, SKAlphaType.Opaque);
        byte[] pixels = new byte[4 * size * size];
        for (int i = 0; i < count; i++)
        {
            random.NextBytes(pixels);
            pixels.CopyTo(bitmap.GetPixelSpan());
            using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
            yield return png.ToArray();
        }
    }
}
