using System.Net;
using Microsoft.Extensions.Logging;
using PixelCnnCluster.Exchange.Handshakes;

namespace PixelCnnCluster.Exchange.Tests;

/// <summary>Strangers at the door: how many may stand there, for how long, and what is told of them.</summary>
public sealed class HandshakeGateTests : IDisposable
{
    private readonly HandClock _clock = new();
    private readonly Lines _log = new();
    private readonly List<string> _ended = [];
    private readonly HandshakeGate _gate;

    public HandshakeGateTests() => _gate = new(new(_clock, _log), _clock);

    public void Dispose() => _gate.Dispose();

    [Fact]
    public void Of_one_address_the_oldest_make_room_and_who_has_shown_who_it_is_stays()
    {
        Enter("10.0.0.1", 1).Dispose();
        for (int port = 2; port <= HandshakeGate.MostOfOneAddress + 3; port++)
            Enter("10.0.0.1", port);
        Enter("10.0.0.2", 1);

        Assert.Equal(["10.0.0.1:2", "10.0.0.1:3"], _ended);
    }

    [Fact]
    public void When_there_are_too_many_the_address_that_has_most_makes_room()
    {
        Enter("10.0.0.1", 1);
        int crowd = HandshakeGate.Most / HandshakeGate.MostOfOneAddress;
        for (int address = 2; address <= crowd + 1; address++)
        {
            for (int port = 1; port <= HandshakeGate.MostOfOneAddress; port++)
                Enter($"10.0.0.{address}", port);
        }

        Assert.Equal(["10.0.0.2:1"], _ended);
    }

    [Fact]
    public void Who_does_not_show_who_it_is_in_time_is_hung_up_on()
    {
        IDisposable shown = Enter("10.0.0.1", 1);
        Enter("10.0.0.1", 2);
        shown.Dispose();
        _clock.Advance(HandshakeGate.Timeout);

        Assert.Equal(["10.0.0.1:2"], _ended);
    }

    [Fact]
    public void A_flood_is_one_line_a_minute_with_a_count()
    {
        for (int port = 1; port <= HandshakeGate.MostOfOneAddress + 100; port++)
            Enter("10.0.0.1", port);
        const string Reason = "it had not shown who it is, and there were too many like it";
        Assert.Equal([$"A connection with 10.0.0.1:1 was refused: {Reason}"], _log.Texts);

        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Contains($"99 connections were refused in the last minute, the last with 10.0.0.1:100: {Reason}", _log.Texts);
        Assert.Equal(3, _log.Texts.Count);
        _clock.Advance(TimeSpan.FromMinutes(1));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Contains(_log.Texts, text => text.StartsWith("31 connections", StringComparison.Ordinal));
        Assert.Equal(4, _log.Texts.Count);
    }

    /// <summary>Handshakes compute there, and membership probes are answered elsewhere.</summary>
    [Fact]
    public async Task What_comes_after_a_read_goes_on_on_a_thread_of_its_own()
    {
        var read = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<string?> computed = ComputeAsync();
        read.SetResult(1);

        Assert.Equal("handshakes", await computed.SoonAsync("the work"));

        async Task<string?> ComputeAsync()
        {
            await _gate.GoOnApart(new ValueTask<int>(read.Task)).ConfigureAwait(false);
            return Thread.CurrentThread.Name;
        }
    }

    private IDisposable Enter(string address, int port) =>
        _gate.Enter(new IPEndPoint(IPAddress.Parse(address), port), () => _ended.Add($"{address}:{port}"));

    private sealed class Lines : ILogger<RefusalLog>
    {
        public List<string> Texts { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Texts.Add(formatter(state, exception));
    }
}
