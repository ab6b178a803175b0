using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace PixelCnnCluster.Faults;

/// <summary>A real Redis that keeps its data over restarts.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly string _folder;
    private readonly string _host;
    private readonly int _port;
    private readonly string? _password;
    private readonly string? _tls;
    private Process? _process;

    private RedisServer(string folder, string host, int port, string? password, string? tls)
    {
        _folder = folder;
        _host = host;
        _port = port;
        _password = password;
        _tls = tls;
    }

    public string Address => $"{_host}:{_port}";

    public bool IsRunning => _process is not null;

    /// <param name="host">An address of this machine.</param>
    /// <param name="tls">Folder with tls.crt, tls.key and ca.crt, of a Redis that speaks nothing but TLS; null for one without.</param>
    public static async Task<RedisServer> StartAsync(
        string below, int port, string host = "127.0.0.1", string? password = null, string? tls = null)
    {
        var server = new RedisServer(Directory.CreateDirectory(Path.Combine(below, "redis")).FullName, host, port, password, tls);
        await server.StartAsync();
        return server;
    }

    public async Task StartAsync()
    {
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--bind", _host, "--port", _tls is null ? $"{_port}" : "0", "--dir", _folder, "--appendonly", "yes", "--appendfsync",
                "always", "--save", "", "--protected-mode", "no", "--logfile", "redis.log",
                .. _password is null ? [] : new[] { "--requirepass", _password },
                .. _tls is null ? [] : new[] { "--tls-port", $"{_port}", "--tls-cert-file", Path.Combine(_tls, "tls.crt"),
                    "--tls-key-file", Path.Combine(_tls, "tls.key"), "--tls-ca-cert-file", Path.Combine(_tls, "ca.crt"),
                    "--tls-auth-clients", "no" }]))!;
        using var deadline = new CancellationTokenSource(Deadline.Generous);
        while (!await AnswersAsync())
        {
            if (deadline.IsCancellationRequested || _process.HasExited)
                throw new TimeoutException(
                    $"redis-server did not answer at {Address} within {Deadline.Generous.TotalSeconds} s; its log is in {_folder}.");
            await Task.Delay(Poll);
        }
    }

    /// <summary>Ends it without grace.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Takes away what it has kept, while it does not run.</summary>
    public void Empty()
    {
        Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await KillAsync();
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(_host, _port);
            await using Stream stream = await SecuredAsync(client.GetStream());
            if (_password is not null)
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"AUTH {_password}\r\n"));
                await stream.ReadExactlyAsync(new byte[5]);
            }

            await stream.WriteAsync("PING\r\n"u8.ToArray());
            byte[] answer = new byte[7];
            await stream.ReadExactlyAsync(answer);
            return answer.AsSpan().SequenceEqual("+PONG\r\n"u8);
        }
        catch (Exception fault) when (fault is SocketException or IOException or AuthenticationException)
        {
            return false;
        }
    }

    private async Task<Stream> SecuredAsync(Stream plain)
    {
        if (_tls is null)
            return plain;
        var secured = new SslStream(plain, leaveInnerStreamOpen: false, (_, shown, _, _) => shown is not null);
        await secured.AuthenticateAsClientAsync(_host);
        return secured;
    }
}
