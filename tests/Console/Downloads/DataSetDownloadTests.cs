using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using PixelCnnCluster.Client.Downloads;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Downloads;

public sealed class DataSetDownloadTests : IDisposable
{
    private const string Name = "batch.bin";

    private static readonly byte[] Content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7 + i / 251))];

    private readonly string _folder = Directory.CreateTempSubdirectory("pixelcnn-download-").FullName;
    private readonly List<DownloadProgress> _reports = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Target => Path.Combine(_folder, "set", Name);

    private string Part => $"{Target}.part";

    [Fact]
    public async Task A_file_is_fetched_once()
    {
        using var server = new LoopbackServer(_ => LoopbackServer.Response("200 OK", Content.Length, Content));

        await EnsureAsync(server.Address(Name));
        await EnsureAsync(server.Address(Name));

        Assert.Single(server.Requests);
        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
        Assert.False(File.Exists(Part));
        Assert.Equal(new DownloadProgress(Name, 0, Content.Length), _reports[0]);
        Assert.Equal(new DownloadProgress(Name, Content.Length, Content.Length), _reports[^1]);
        Assert.Equal(_reports.Select(report => report.Bytes).Order(), _reports.Select(report => report.Bytes));
    }

    [Fact]
    public async Task A_file_in_another_of_its_places_needs_no_server()
    {
        await File.WriteAllBytesAsync(Path.Combine(_folder, "elsewhere.bin"), [1], TestContext.Current.CancellationToken);

        await EnsureAsync(DeadAddress());

        Assert.False(File.Exists(Target));
    }

    [Theory]
    [InlineData(DataSet.Digits)]
    [InlineData(DataSet.ImageNet)]
    [InlineData(DataSet.Folder)]
    public async Task Sets_without_download_are_left_alone(DataSet dataSet)
    {
        await DataSetDownload.EnsureAsync(dataSet, _folder, new Reports(_reports), TestContext.Current.CancellationToken);

        Assert.Empty(_reports);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_cut_connection_is_taken_up_where_it_broke()
    {
        using var server = new LoopbackServer(Ranges(100_000));

        await EnsureAsync(server.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
        Assert.Equal([0, 100_000, 200_000], server.Requests.Select(RangeStart));
        Assert.All(_reports, report => Assert.Equal(Content.Length, report.Total));
    }

    [Fact]
    public async Task A_part_of_an_earlier_run_is_taken_up()
    {
        await WritePartAsync(Content[..250_000]);
        using var server = new LoopbackServer(Ranges(100_000));

        await EnsureAsync(server.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
        Assert.Equal([250_000], server.Requests.Select(RangeStart));
    }

    [Fact]
    public async Task A_whole_part_of_an_earlier_run_only_gets_its_name()
    {
        await WritePartAsync(Content);
        using var server = new LoopbackServer(_ => LoopbackServer.Response("416 Range Not Satisfiable", 0, []));

        await EnsureAsync(server.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_server_without_ranges_sends_the_whole_again()
    {
        await WritePartAsync([.. Enumerable.Repeat((byte)1, 350_000)]);
        using var server = new LoopbackServer(_ => LoopbackServer.Response("200 OK", Content.Length, Content));

        await EnsureAsync(server.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_server_without_ranges_that_always_breaks_gives_way_to_the_mirror()
    {
        using var breaking = new LoopbackServer(_ => LoopbackServer.Response("200 OK", Content.Length, Content[..50_000]));
        using var mirror = new LoopbackServer(Ranges(Content.Length));

        await EnsureAsync(breaking.Address(Name), mirror.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
        Assert.Equal([50_000], mirror.Requests.Select(RangeStart));
    }

    [Fact]
    public async Task A_wrong_checksum_removes_the_file_and_says_so()
    {
        using var server = new LoopbackServer(_ => LoopbackServer.Response("200 OK", 3, [1, 2, 3]));

        string message = await RefusedAsync(server.Address(Name));

        Assert.Contains("MD5 checksum 5289df737df57326fcdd22597afb1fac instead of", message, StringComparison.Ordinal);
        Assert.False(File.Exists(Part));
        Assert.False(File.Exists(Target));
    }

    /// <summary>Cut only when the client has gone: a server that would fill the disk.</summary>
    [Fact]
    public async Task A_server_that_sends_without_end_is_left_after_the_files_size()
    {
        using var endless = new LoopbackServer(
            _ => LoopbackServer.Response("200 OK", 1L << 40, new byte[Content.Length + 1]), cut: false);

        string message = await RefusedAsync(endless.Address(Name));

        Assert.Contains("127.0.0.1 sends more than the 300000 bytes that the file has", message, StringComparison.Ordinal);
        Assert.Equal(0, new FileInfo(Part).Length);

        using var right = new LoopbackServer(Ranges(Content.Length));
        await EnsureAsync(endless.Address(Name), right.Address(Name));
        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Mirrors_are_tried_in_turn()
    {
        using var missing = new LoopbackServer(_ => LoopbackServer.Response("404 Not Found", 0, []));
        using var wrong = new LoopbackServer(_ => LoopbackServer.Response("200 OK", 14, [.. "<html>hello!</"u8]));
        using var right = new LoopbackServer(_ => LoopbackServer.Response("200 OK", Content.Length, Content));

        await EnsureAsync(DeadAddress(), missing.Address(Name), wrong.Address(Name), right.Address(Name));

        Assert.Equal(Content, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Without_a_server_the_file_its_place_and_its_address_are_told()
    {
        Uri address = DeadAddress();

        string message = await RefusedAsync(address);

        Assert.False(File.Exists(Part));
        Assert.Contains(
            $"put {Name} from {new Uri(address, ".")} into {Path.GetDirectoryName(Target)}.", message, StringComparison.Ordinal);
        Assert.DoesNotContain(". ", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "Timeout of 1 seconds")]
    [InlineData(true, "127.0.0.1 sent nothing for 1 s")]
    public async Task A_server_that_falls_silent_is_given_up(bool midBody, string reason)
    {
        using var server = new LoopbackServer(
            _ => midBody ? LoopbackServer.Response("200 OK", Content.Length, Content[..50_000]) : [], cut: false);

        string message = await RefusedAsync(server.Address(Name));

        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_told()
    {
        await File.WriteAllBytesAsync(Path.Combine(_folder, "set"), [], TestContext.Current.CancellationToken);

        string message = await RefusedAsync(DeadAddress());

        Assert.Contains(Path.Combine(_folder, "set"), message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_download_keeps_its_part()
    {
        using var cancel = new CancellationTokenSource();
        using var server = new LoopbackServer(request =>
        {
            if (RangeStart(request) == 0)
                return Ranges(100_000)(request);
            cancel.Cancel();
            return [];
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => EnsureAsync(cancel.Token, server.Address(Name)));

        Assert.Equal(Content[..100_000], await File.ReadAllBytesAsync(Part, TestContext.Current.CancellationToken));
    }

    private Task EnsureAsync(params Uri[] addresses) => EnsureAsync(TestContext.Current.CancellationToken, addresses);

    private async Task EnsureAsync(CancellationToken ct, params Uri[] addresses)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
#pragma warning disable CA5351 // As published.
        string md5 = Convert.ToHexStringLower(MD5.HashData(Content));
#pragma warning restore CA5351
        var file = new PublishedFile(Name, md5, Content.Length, addresses, [$"set/{Name}", "elsewhere.bin"]);
        await new DataSetDownload(http).EnsureAsync([file], _folder, new Reports(_reports), ct);
    }

    private async Task<string> RefusedAsync(params Uri[] addresses) =>
        (await Assert.ThrowsAsync<UserErrorException>(() => EnsureAsync(addresses))).Message;

    private async Task WritePartAsync(byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Part)!);
        await File.WriteAllBytesAsync(Part, content, TestContext.Current.CancellationToken);
    }

    /// <summary>Serves ranges, but cuts each connection after so many bytes.</summary>
    private static Func<string, byte[]> Ranges(int cutAfter) => request =>
    {
        int start = RangeStart(request);
        byte[] body = Content[start..Math.Min(start + cutAfter, Content.Length)];
        return start == 0
            ? LoopbackServer.Response("200 OK", Content.Length, body)
            : LoopbackServer.Response(
                "206 Partial Content", Content.Length - start, body,
                $"Content-Range: bytes {start}-{Content.Length - 1}/{Content.Length}\r\n");
    };

    private static int RangeStart(string request)
    {
        string? range = request.Split("\r\n").FirstOrDefault(line => line.StartsWith("Range: bytes=", StringComparison.Ordinal));
        return range is null ? 0 : int.Parse(range["Range: bytes=".Length..^1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>A port of this machine where nobody listens.</summary>
    private static Uri DeadAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/{Name}");
    }

    private sealed class Reports(List<DownloadProgress> reports) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => reports.Add(value);
    }
}
