using System.IO.Hashing;
using System.Text;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Training.Data;

/// <summary>Names, sizes and times of a data set's files: what shows at a glance that they have changed.</summary>
internal sealed record DataStamp(long Files, string Hash)
{
    private static readonly EnumerationOptions Options = new() { RecurseSubdirectories = true, MaxRecursionDepth = 8 };

    /// <returns>Null if there are no files, as where a volume is away.</returns>
    public static DataStamp? Of(DataSet dataSet, string dataDir)
    {
        if (dataSet == DataSet.Digits)
            return new(0, "");
        try
        {
            var hash = new XxHash128();
            long files = 0;
            // The other sets lie in a few files that may lie beside others.
            IEnumerable<string> paths = DataSetCatalog.Files(dataSet) is [_, ..] published
                ? published.Select(file => file.Find(dataDir)).OfType<string>().Select(path => Path.GetDirectoryName(path)!).Distinct()
                    .SelectMany(folder => Directory.EnumerateFiles(folder))
                : Directory.EnumerateFiles(dataDir, "*", Options);
            foreach (FileInfo file in paths.Order(StringComparer.Ordinal).Select(path => new FileInfo(path)))
            {
                files++;
                hash.Append(Encoding.UTF8.GetBytes($"{file.FullName}\0{file.Length}\0{file.LastWriteTimeUtc.Ticks}\0"));
            }

            return files == 0 ? null : new(files, Convert.ToHexStringLower(hash.GetCurrentHash()));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
