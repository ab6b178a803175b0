using System.Diagnostics;
using System.Net.Sockets;
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
    private Process? _process;

    private RedisServer(string folder, string host, int port, string? password)
    {
        _folder = folder;
        _host = host;
        _port = port;
        _password = password;
    }

    public string Address => $"{_host}:{_port}";

    public bool IsRunning => _process is not null;

    /// <param name="host">An address of this machine.</param>
    public static async Task<RedisServer> StartAsync(string below, int port, string host = "127.0.0.1", string? password = null)
    {
        var server = new RedisServer(Directory.CreateDirectory(Path.Combine(below, "redis")).FullName, host, port, password);
        await server.StartAsync();
        return server;
    }

    public async Task StartAsync()
    {
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--bind", _host, "--port", $"{_port}", "--dir", _folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--protected-mode", "no", "--logfile", "redis.log", .. _password is null ? [] : new[] { "--requirepass", _password }]))!;
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
            if (_password is not null)
            {
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"AUTH {_password}\r\n"));
                await client.GetStream().ReadExactlyAsync(new byte[5]);
            }

            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
            byte[] answer = new byte[7];
            await client.GetStream().ReadExactlyAsync(answer);
            return answer.AsSpan().SequenceEqual("+PONG\r\n"u8);
        }
        catch (Exception fault) when (fault is SocketException or IOException)
        {
            return false;
        }
    }
}
