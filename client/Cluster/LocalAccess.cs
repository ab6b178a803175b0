using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Client.Cluster;

/// <summary>
/// What a local cluster asks of whoever connects: certificates and a password that are made for it, in a folder that its user alone can
/// read. Other consoles of that user find the folder by the cluster's address. The authority's key is not kept, so there is one member.
/// </summary>
internal sealed class LocalAccess : IDisposable
{
    /// <summary>The second is held open as long as the cluster lives.</summary>
    private const string PasswordFile = "password", HeldFile = "held";

    private static readonly TimeSpan LeastAge = TimeSpan.FromMinutes(1);

    private readonly FileStream _held;

    private LocalAccess(string folder, string password)
    {
        Folder = folder;
        string held = Path.Combine(folder, HeldFile);
        _held = new(held, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        WriteCertificates(folder);
        File.WriteAllText(Path.Combine(folder, PasswordFile), password);
        Access = new(password, ClusterCertificates.Open(folder));
    }

    /// <summary>With tls.crt, tls.key and ca.crt.</summary>
    public string Folder { get; }

    public ClusterAccess Access { get; }

    private static string Root => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "pixelcnn",
        "clusters", Environment.MachineName);

    public static string NewPassword() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <param name="redis">host:port of the cluster's store.</param>
    public static LocalAccess Create(string redis, string password)
    {
        try
        {
            string folder = Path.Combine(Root, redis);
            Forget(folder, leastAge: TimeSpan.Zero);
            MakePrivate(folder);
            foreach (string other in Directory.EnumerateDirectories(Root))
                Forget(other, LeastAge);
            return new(folder, password);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Without a home that can be written to no other console finds it.
            return new(Directory.CreateTempSubdirectory("pixelcnn-access-").FullName, password);
        }
    }

    /// <returns>Null if no local cluster of this user is at that address.</returns>
    public static ClusterAccess? Find(ClusterAddress address)
    {
        string folder = Path.Combine(Root, address.Redis);
        return Directory.Exists(folder) && IsHeld(folder)
            ? new(File.ReadAllText(Path.Combine(folder, PasswordFile)), ClusterCertificates.Open(folder)) : null;
    }

    public void Dispose()
    {
        // While it is held no other console forgets it.
        DiskFaults.Ignore(() => Directory.Delete(Folder, recursive: true));
        _held.Dispose();
    }

    /// <summary>
    /// Removes what a killed console has left. One that is younger may be about to be held. Another console may remove the same, and
    /// another user may own it.
    /// </summary>
    private static void Forget(string folder, TimeSpan leastAge) => DiskFaults.Ignore(() =>
    {
        if (Directory.Exists(folder) && DateTime.UtcNow - Directory.GetCreationTimeUtc(folder) >= leastAge && !IsHeld(folder))
            Directory.Delete(folder, recursive: true);
    });

    private static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static bool IsHeld(string folder)
    {
        try
        {
            using FileStream taken = new(Path.Combine(folder, HeldFile), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static void WriteCertificates(string folder)
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddDays(-1), to = from.AddYears(10);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest("CN=pixelcnn-local-authority", authorityKey, HashAlgorithmName.SHA256);
        asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        asked.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        using X509Certificate2 authority = asked.CreateSelfSigned(from, to);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        asked = new("CN=pixelcnn-local", key, HashAlgorithmName.SHA256);
        asked.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1"), new("1.3.6.1.5.5.7.3.2")], critical: false));
        using X509Certificate2 member = asked.Create(authority, from, to, RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Path.Combine(folder, "ca.crt"), authority.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "tls.crt"), member.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "tls.key"), key.ExportPkcs8PrivateKeyPem());
    }
}
