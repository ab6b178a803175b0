using System.IO.Compression;
using System.IO.Hashing;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// A file of a data set, or a member of an archive, read once from front to back.
/// Whatever is wrong with its content becomes one sentence that names it.
/// </summary>
internal sealed class DataFile(string name, Stream stream) : IDisposable
{
    private readonly Crc32 _checksum = new();
    private long _read;

    public string Name => name;

    public Stream Stream => stream;

    /// <summary>CRC-32 of all that was read through this object.</summary>
    public uint Checksum => _checksum.GetCurrentHashAsUInt32();

    /// <summary>Opens a file and unpacks it on the way if it is a gzip file.</summary>
    public static DataFile Open(string path)
    {
        FileStream file = OpenPacked(path);
        Span<byte> start = stackalloc byte[2];
        bool gzip = file.ReadAtLeast(start, 2, throwOnEndOfStream: false) == 2 && start is [0x1f, 0x8b];
        file.Position = 0;
        return new(path, gzip
            ? new BufferedStream(new UnpackingStream(new GZipStream(file, CompressionMode.Decompress), file.Length), 1 << 16)
            : file);
    }

    /// <summary>Opens a file as it is.</summary>
    public static FileStream OpenPacked(string path) => Directory.Exists(path)
        ? throw Faulty(path, "is a folder where a file should be", "put the file in its place")
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);

    /// <summary>Fills the buffer as far as the file goes and returns the number of bytes.</summary>
    public int Read(Span<byte> buffer)
    {
        int read;
        try
        {
            read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw Garbled(name, e);
        }
        _checksum.Append(buffer[..read]);
        _read += read;
        return read;
    }

    public void ReadExactly(Span<byte> buffer)
    {
        if (Read(buffer) < buffer.Length)
            throw Fault($"is too short: it ends after {_read} bytes, in the middle of a record");
    }

    /// <summary>The whole content, for a parser that must go back and forth in it.</summary>
    public MemoryStream ReadAll(int mostBytes)
    {
        var content = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read; (read = Read(buffer)) > 0;)
        {
            content.Write(buffer, 0, read);
            if (content.Length > mostBytes)
                throw Fault($"holds more than {mostBytes} bytes, too many for its kind");
        }
        if (content.Length == 0)
            throw Fault("is empty");
        content.Position = 0;
        return content;
    }

    public void ExpectEnd()
    {
        if (Read(stackalloc byte[1]) != 0)
            throw Fault("holds more bytes than its records need");
    }

    public UserErrorException Fault(string what, string remedy = "download it again") => Faulty(name, what, remedy);

    public static UserErrorException Faulty(string name, string what, string remedy) => new($"{name} {what}; {remedy}.");

    /// <summary>Runs a library's parser, which may throw anything at a hostile file.</summary>
    public static T Parse<T>(string name, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (Exception e) when (e is not UserErrorException)
        {
            throw Garbled(name, e);
        }
    }

    public void Dispose() => stream.Dispose();

    private static UserErrorException Garbled(string name, Exception cause) =>
        new($"{name} is cut off or garbled ({cause.Message.Split(". ")[0].TrimEnd('.')}); download it again.", cause);
}
