using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Files;

/// <summary>Who has signed the certificate of a cluster's Redis.</summary>
public static class RedisAuthority
{
    /// <summary>Takes certificates of an authority that are for the name or address that was connected to, and no others.</summary>
    /// <param name="file">The authority's own, as PEM.</param>
    /// <exception cref="UserErrorException">The file cannot be used.</exception>
    public static RemoteCertificateValidationCallback Trust(string file)
    {
        X509Certificate2Collection trusted = [];
        try
        {
            trusted.ImportFromPemFile(file);
            if (trusted.Count == 0)
                throw new CryptographicException("it holds no certificate");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UserErrorException(
                $"{file} cannot be used ({fault.Message.TrimEnd('.')}); name a file with the authority of Redis' certificate as PEM.",
                fault);
        }

        return (_, shown, sent, mistakes) =>
        {
            if (shown is not X509Certificate2 certificate || mistakes.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
                return false;
            using var chain = new X509Chain
            {
                ChainPolicy =
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    RevocationMode = X509RevocationMode.NoCheck,
                    DisableCertificateDownloads = true,
                },
            };
            chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
            foreach (X509ChainElement element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
                chain.ChainPolicy.ExtraStore.Add(element.Certificate);
            return chain.Build(certificate);
        };
    }
}
