using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Client.Downloads;

/// <summary>
/// Fetches published data sets. A file grows under the name name.part, goes on from there after an interruption, and gets its own name
/// when it is whole and has the published checksum.
/// </summary>
/// <param name="http">Its timeout bounds each wait for the server, not the download as a whole.</param>
public sealed class DataSetDownload(HttpClient http)
{
    /// <summary>
    /// Downloads those files of the data set that are not in the folder; does nothing when all are, or when there is nothing to download.
    /// </summary>
    /// <exception cref="UserErrorException">A file cannot be had or stored.</exception>
    public static async Task EnsureAsync(DataSet dataSet, string dataDir, IProgress<DownloadProgress> progress, CancellationToken ct)
    {
        using var http = new HttpClient();
        await new DataSetDownload(http).EnsureAsync(DataSetCatalog.Files(dataSet), dataDir, progress, ct);
    }

    /// <inheritdoc cref="EnsureAsync(DataSet, string, IProgress{DownloadProgress}, CancellationToken)"/>
    public async Task EnsureAsync(
        IReadOnlyList<PublishedFile> files, string dataDir, IProgress<DownloadProgress> progress, CancellationToken ct)
    {
        PublishedFile[] missing = [.. files.Where(file => file.Find(dataDir) is null)];
        try
        {
            foreach (PublishedFile file in missing)
                await FetchAsync(file, file.Target(dataDir), progress, ct);
        }
        catch (Exception e) when (IsFailure(e, ct))
        {
            PublishedFile[] still = [.. missing.Where(file => file.Find(dataDir) is null)];
            throw new UserErrorException(
                $"The download of {still[0].Name} failed ({e.Message.TrimEnd('.')}); try again, or " +
                $"{DataSetCatalog.Advice(still, dataDir)}.", e);
        }
    }

    private async Task FetchAsync(PublishedFile file, string target, IProgress<DownloadProgress> progress, CancellationToken ct)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string part = $"{target}.part";
        for (int mirror = 0; ;)
        {
            long before = Length(part);
            try
            {
                await AppendAsync(file, file.Addresses[mirror], part, progress, ct);
                await VerifyAsync(file, part, ct);
                File.Move(part, target);
                return;
            }
            catch (Exception e) when (IsFailure(e, ct) && (Length(part) > before || mirror + 1 < file.Addresses.Count))
            {
                // A server that cuts the connection is asked again as long as that brings the file forward.
                if (Length(part) <= before)
                    mirror++;
            }
        }
    }

    private async Task AppendAsync(PublishedFile file, Uri address, string part, IProgress<DownloadProgress> progress, CancellationToken ct)
    {
        if (Length(part) > file.Bytes)
            File.Delete(part);
        long start = Length(part);
        if (start == file.Bytes)
            return;
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (start > 0)
            request.Headers.Range = new RangeHeaderValue(start, null);
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        response.EnsureSuccessStatusCode();
        bool resumed = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == start;
        await using var output = new FileStream(part, resumed ? FileMode.Append : FileMode.Create, FileAccess.Write, FileShare.None);
        long? total = output.Length + response.Content.Headers.ContentLength;

        await using Stream input = await response.Content.ReadAsStreamAsync(ct);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        byte[] buffer = new byte[1 << 17];
        while (true)
        {
            progress.Report(new(file.Name, output.Length, total));
            timeout.CancelAfter(http.Timeout);
            int read;
            try
            {
                read = await input.ReadAsync(buffer, timeout.Token);
            }
            catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
            {
                throw new IOException($"{address.Host} sent nothing for {http.Timeout.TotalSeconds:0.#} s", e);
            }
            if (read == 0)
                return;
            if (output.Length + read > file.Bytes)
            {
                output.SetLength(0);
                throw new InvalidDataException($"{address.Host} sends more than the {file.Bytes} bytes that the file has");
            }

            await output.WriteAsync(buffer.AsMemory(0, read), ct);
        }
    }

    private static async Task VerifyAsync(PublishedFile file, string part, CancellationToken ct)
    {
        string md5;
        await using (FileStream content = File.OpenRead(part))
        {
#pragma warning disable CA5351 // MD5 is what the data sets are published with.
            md5 = Convert.ToHexStringLower(await MD5.HashDataAsync(content, ct));
#pragma warning restore CA5351
        }
        if (md5 == file.Md5)
            return;
        File.Delete(part);
        throw new InvalidDataException($"what came has the MD5 checksum {md5} instead of {file.Md5} and was removed");
    }

    private static long Length(string part) => File.Exists(part) ? new FileInfo(part).Length : 0;

    private static bool IsFailure(Exception e, CancellationToken ct) =>
        e is HttpRequestException or IOException or InvalidDataException or UnauthorizedAccessException
        || (e is OperationCanceledException && !ct.IsCancellationRequested);
}
