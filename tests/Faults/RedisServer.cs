using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace PixelCnnCluster.Faults;

/// <summary>A real Redis that keeps its data over restarts.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly string folder;
    private readonly string host;
    private readonly int port;
    private readonly string? password;
    private Process? process;

    private RedisServer(string folder, string host, int port, string? password) => (this.folder, this.host, this.port, this.password) = (folder, host, port, password);

    public string Address => $"{host}:{port}";

    public bool IsRunning => process is not null;

    /// <param name="host">An address of this machine.</param>
    public static async Task<RedisServer> StartAsync(string below, int port, string host = "127.0.0.1", string? password = null)
    {
        var server = new RedisServer(Directory.CreateDirectory(Path.Combine(below, "redis")).FullName, host, port, password);
        await server.StartAsync();
        return server;
    }

    public async Task StartAsync()
    {
        process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--bind", host, "--port", $"{port}", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no", "--logfile", "redis.log", .. password is null ? [] : new[] { "--requirepass", password }]))!;
        using var deadline = new CancellationTokenSource(Deadline.Generous);
        while (!await AnswersAsync())
        {
            if (deadline.IsCancellationRequested || process.HasExited)
                throw new TimeoutException($"redis-server did not answer at {Address} within {Deadline.Generous.TotalSeconds} s; its log is in {folder}.");
            await Task.Delay(Poll);
        }
    }

    /// <summary>Ends it without grace.</summary>
    public async Task KillAsync()
    {
        process!.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    /// <summary>Takes away what it has kept, while it does not run.</summary>
    public void Empty()
    {
        Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
            await KillAsync();
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(host, port);
            if (password is not null)
            {
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"AUTH {password}\r\n"));
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
