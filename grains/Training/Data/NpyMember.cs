using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace PixelCnnCluster.Training.Data;

/// <summary>
/// One array of a .npz file, which is a zip of .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
/// magic, version, length of the header, the header as a Python dictionary, and the elements.
/// </summary>
internal sealed partial class NpyMember : IDisposable
{
    private const int LongestHeader = 4096;

    private readonly uint _checksum;

    private NpyMember(DataFile file, uint checksum)
    {
        File = file;
        _checksum = checksum;
        string header = ReadHeader();
        Match match = HeaderPattern().Match(header);
        if (!match.Success)
            throw File.Fault($"has a header that is not understood, '{header.Trim()}'");
        Type = match.Groups["type"].Value;
        string[] shape = match.Groups["shape"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Shape = [.. shape.Select(
            side => long.TryParse(side, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : -1)];
    }

    public DataFile File { get; }

    /// <summary>NumPy's name of the type of the elements, such as |u1 or &lt;i8.</summary>
    public string Type { get; }

    public IReadOnlyList<long> Shape { get; }

    public static NpyMember Open(string path, ZipArchive zip, string name)
    {
        ZipArchiveEntry entry = DataFile.Parse(path, () => zip.GetEntry(name))
            ?? throw DataFile.Faulty(path, $"lacks {name}", "download it again");
        var content = new UnpackingStream(DataFile.Parse(path, entry.Open), entry.CompressedLength);
        return new(new DataFile($"{path}: {name}", content), entry.Crc32);
    }

    /// <summary>All elements as whole numbers, for a type of one, two, four or eight bytes.</summary>
    public long[] ReadIntegers()
    {
        if (!IntegerPattern().IsMatch(Type))
            throw File.Fault($"holds elements of type {Type} where whole numbers should be");
        byte[] element = new byte[Type[2] - '0'];
        long[] values = new long[Shape[0]];
        Span<byte> wide = stackalloc byte[8];
        for (int i = 0; i < values.Length; i++)
        {
            File.ReadExactly(element);
            if (Type[0] == '>')
                Array.Reverse(element);
            wide.Fill(Type[1] == 'i' && element[^1] >= 0x80 ? (byte)0xff : (byte)0);
            element.CopyTo(wide);
            values[i] = BinaryPrimitives.ReadInt64LittleEndian(wide);
        }
        return values;
    }

    /// <summary>The member must end here and have the checksum that the zip file promises.</summary>
    public void ExpectEnd()
    {
        File.ExpectEnd();
        if (File.Checksum != _checksum)
            throw File.Fault("is garbled: its checksum is not what the archive promises");
    }

    public void Dispose() => File.Dispose();

    private string ReadHeader()
    {
        byte[] start = new byte[8];
        if (File.Read(start) < start.Length || start is not [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', ..])
            throw File.Fault("is not a NumPy array");
        byte[] length = new byte[start[6] == 1 ? 2 : 4];
        File.ReadExactly(length);
        uint bytes = length.Length == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(length) : BinaryPrimitives.ReadUInt32LittleEndian(length);
        if (bytes > LongestHeader)
            throw File.Fault($"has a header of {bytes} bytes, more than any image batch needs");
        byte[] header = new byte[bytes];
        File.ReadExactly(header);
        return Encoding.Latin1.GetString(header);
    }

    [GeneratedRegex(@"^\{'descr': '(?<type>[<>|=][a-z]\d+)', 'fortran_order': False, 'shape': \((?<shape>[\d, ]*)\), \}\s*$")]
    private static partial Regex HeaderPattern();

    [GeneratedRegex("^[<>|=][iu][1248]$")]
    private static partial Regex IntegerPattern();
}
