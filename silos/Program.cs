using System.Net;
using System.Net.Sockets;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;
using PixelCnnCluster.Model.Tensors;
using PixelCnnCluster.Silo;
using PixelCnnCluster.Silo.Settings;
using StackExchange.Redis;

WebApplicationBuilder builder = WebApplication.CreateBuilder(
    new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
SiloSettings settings;
try
{
    settings = builder.Configuration.GetSection("Silo").Get<SiloSettings>(options => options.ErrorOnUnknownConfiguration = true) ?? new();
}
catch (InvalidOperationException fault)
{
    return Refuse($"The silo's settings cannot be read: {fault.Message}");
}

List<string> mistakes = [.. settings.Validate()];
try
{
    // This comes before anything uses TorchSharp.
    if (builder.Configuration[TorchLibrary.Key] is { Length: > 0 } library)
        TorchLibrary.Load(library);
}
catch (UserErrorException mistake)
{
    mistakes.Add(mistake.Message);
}

mistakes.AddRange(new[] { nameof(SiloSettings.RedisPassword), nameof(SiloSettings.HttpToken) }
    .Where(secret => args.Any(arg => arg.Contains($"Silo:{secret}", StringComparison.OrdinalIgnoreCase)))
    .Select(secret =>
        $"Silo:{secret} is a secret, and every user of the machine can read flags; give it with the environment's Silo__{secret}."));
mistakes.AddRange(
    settings.Roots().Where(root => Path.IsPathRooted(root) && !Directory.Exists(root)).Select(
        root => $"Silo:Folders has {root}, which does not exist; mount or make it, or leave it out."));
ClusterCertificates? certificates = null;
ConfigurationOptions redis = new();
try
{
    if (settings.Tls is { } folder)
        certificates = ClusterCertificates.Open(folder);
}
catch (UserErrorException mistake)
{
    mistakes.Add($"Silo:Tls: {mistake.Message}");
}

try
{
    redis = ConfigurationOptions.Parse(settings.Redis);
    if (redis.Password is not null)
        mistakes.Add("Silo:Redis holds a password, which would show in messages; give it with the environment's Silo__RedisPassword.");
    else if (string.IsNullOrEmpty(settings.RedisPassword) && !settings.AllowPlaintext
        // Sentinels may name a Redis anywhere.
        && (redis.ServiceName is { Length: > 0 } || redis.EndPoints.Any(IsBeyondLoopback)))
        mistakes.Add(
            $"Silo:Redis is {settings.Redis}, where others than this machine could write to it; give Redis a password (requirepass), and " +
            $"the silo the same with the environment's Silo__RedisPassword, or say Silo:AllowPlaintext=true.");
}
catch (ArgumentException)
{
    mistakes.Add("Silo:Redis cannot be read; give host:port.");
}

try
{
    if (settings.RedisTls is { } authority)
    {
        redis.Ssl = true;
        redis.CertificateValidation += RedisAuthority.Trust(authority);
    }
}
catch (UserErrorException mistake)
{
    mistakes.Add($"Silo:RedisTls: {mistake.Message}");
}

if (mistakes.Count == 0)
    mistakes.AddRange(TakenPorts(settings));
if (mistakes.Count == 0 && TorchDevice.Missing(settings.Device) is { } missing)
    mistakes.Add($"Silo:Device is {settings.Device}, and {missing}.");
if (mistakes.Count > 0)
    return Refuse([.. mistakes]);
(redis.User, redis.Password) = (settings.RedisUser, settings.RedisPassword);
TimeSpan ahead;
try
{
    ahead = await SharedStore.SignAsync(redis, settings);
}
catch (UserErrorException mistake)
{
    return Refuse(mistake.Message);
}
catch (Exception fault) when (fault is RedisException or TimeoutException)
{
    return Refuse(ClusterNames.IsRefusal(fault)
        ? $"Redis at {settings.Redis} refuses the password; give the right one with the environment's Silo__RedisPassword."
        : $"No Redis can be used at {settings.Redis} ({fault.Message.Split('\n')[0]}); start one there, or name another with Silo:Redis.");
}

await SiloHost.Build(builder, settings, redis, certificates, ahead).RunAsync();
return 0;

static IEnumerable<string> TakenPorts(SiloSettings settings)
{
    foreach ((string name, string address, int port) in new[] { ("", settings.Address, settings.Port),
        ("Gateway", settings.Address, settings.GatewayPort), ("Data", settings.Address, settings.DataPort),
        ("Http", settings.HttpAddress, settings.HttpPort) })
    {
        string? reason = null;
        try
        {
            using var listener = new TcpListener(IPAddress.Parse(address), port);
            listener.Start();
        }
        catch (SocketException fault)
        {
            reason = fault.Message;
        }

        if (reason is not null)
            yield return $"Silo:{name}Port {port} cannot be listened on at {address} ({reason}); see what has it, or give another port " +
                $"or address.";
    }
}

static bool IsBeyondLoopback(EndPoint place) => place switch
{
    IPEndPoint { Address: var address } => !IPAddress.IsLoopback(address),
    DnsEndPoint { Host: var host } => host != "localhost",
    _ => false,
};

static int Refuse(params IReadOnlyList<string> mistakes)
{
    foreach (string mistake in mistakes)
        Console.Error.WriteLine(mistake);
    return 2;
}
