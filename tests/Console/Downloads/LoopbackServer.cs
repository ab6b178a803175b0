using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PixelCnnCluster.Console.Tests.Downloads;

/// <summary>A server that answers every connection with the bytes that the test gives for it, and then cuts it.</summary>
internal sealed class LoopbackServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    /// <param name="answer">From the request's first line and headers to the response's, with its body.</param>
    /// <param name="cut">False to say nothing more and keep the connection instead.</param>
    public LoopbackServer(Func<string, byte[]> answer, bool cut = true)
    {
        _listener.Start();
        _serving = ServeAsync(answer, cut);
    }

    public ConcurrentQueue<string> Requests { get; } = new();

    public Uri Address(string name) => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{name}");

    /// <summary>A response that promises <paramref name="length"/> bytes, whatever the body holds.</summary>
    public static byte[] Response(string status, long length, byte[] body, string headers = "") =>
        [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n"), .. body];

    public void Dispose()
    {
        _stop.Cancel();
        // The listener goes last: an accept on a stopped one is another fault than a cancelled one.
        _serving.Wait();
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task ServeAsync(Func<string, byte[]> answer, bool cut)
    {
        var silent = new List<TcpClient>();
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                string request = await ReadHeadAsync(client.GetStream());
                Requests.Enqueue(request);
                await client.GetStream().WriteAsync(answer(request), _stop.Token);
                if (cut)
                    client.Dispose();
                else
                    silent.Add(client);
            }
        }
        catch (OperationCanceledException)
        {
            silent.ForEach(client => client.Dispose());
        }
    }

    private async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stop.Token) == 1)
            head.Append((char)one[0]);
        return head.ToString();
    }
}
