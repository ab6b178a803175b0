using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace PixelCnnCluster.Faults;

/// <summary>Hands out certificates of its own, as a cluster's authority does.</summary>
public sealed class Authority : IDisposable
{
    private static readonly TimeSpan Margin = TimeSpan.FromDays(1);

    private readonly X509Certificate2 _root;
    private byte _serial;

    public Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(
            new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow - (10 * Margin), DateTimeOffset.UtcNow + (10 * Margin));
    }

    /// <summary>The authority's own certificate, as PEM.</summary>
    public string Pem => _root.ExportCertificatePem();

    /// <summary>Writes tls.crt, tls.key and ca.crt of a new member.</summary>
    /// <param name="trusted">PEM of the authorities that the member trusts; this one where none is given.</param>
    /// <param name="issuersAddress">Where the certificate says that its issuer's can be had.</param>
    /// <param name="address">That the certificate is for.</param>
    public string Write(
        string folder, string name, DateTimeOffset? until = null, string? trusted = null, Uri? issuersAddress = null,
        IPAddress? address = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        if (issuersAddress is not null)
            request.CertificateExtensions.Add(
                new X509AuthorityInformationAccessExtension(ocspUris: null, caIssuersUris: [issuersAddress.AbsoluteUri]));
        if (address is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(address);
            request.CertificateExtensions.Add(names.Build());
        }

        DateTimeOffset end = until ?? DateTimeOffset.UtcNow + Margin;
        using X509Certificate2 certificate = request.Create(_root, end - (2 * Margin), end, [++_serial]);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "tls.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder, "tls.key"), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(folder, "ca.crt"), trusted ?? Pem);
        return folder;
    }

    public void Dispose() => _root.Dispose();
}
