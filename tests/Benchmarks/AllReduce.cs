using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Benchmarks;

/// <summary>
/// The exchange of a gradient between processes, as silos do it, against plain sockets that send as many bytes between the same processes
/// in the same run, both directions at once. Bus bandwidth is 2 (N - 1) / N times the gradient's bytes over the time: what each process has
/// to send at least.
/// </summary>
internal static class AllReduce
{
    public static Command Command()
    {
        Option<int> silos = new("--silos") { DefaultValueFactory = _ => 2, Description = "Processes." };
        Option<double> mfloats = new("--mfloats") { DefaultValueFactory = _ => 53.7, Description = "Millions of floats of the gradient." };
        Option<WireFormat> wire = new("--wire") { Description = "Float32, or Bf16 for half the bytes." };
        Option<int?> rounds = new("--rounds")
        {
            Description = "Exchanges that are measured, after as many that are not; by default those " +
            "of a billion floats, 10 to 4,000."
        };
        var command = new Command(
            "all-reduce", "The exchange of gradients between processes against plain sockets.") { silos, mfloats, wire, rounds };
        command.SetAction(parsed =>
        {
            double millions = parsed.GetValue(mfloats);
            Run(parsed.GetValue(silos), (int)(millions * 1e6), parsed.GetValue(wire), parsed.GetValue(rounds)
                ?? (int)Math.Clamp(1000 / millions, 10, 4000));
        });
        return command;
    }

    private static void Run(int silos, int floats, WireFormat wire, int rounds)
    {
        using var children = new Children(
            silos, number => ["all-reduce-peer", $"--number={number}", $"--silos={silos}", $"--floats={floats}", $"--wire={wire}"]);
        string[] addresses = children.Ask("listen");
        children.Ask(string.Join(' ', addresses));
        List<double> exchanges = [], raw = [];
        for (int round = -rounds; round < rounds; round++)
        {
            children.Ask("fill");
            double exchange = Slowest("exchange"), plain = Slowest("raw");
            if (round >= 0)
            {
                exchanges.Add(exchange);
                raw.Add(plain);
            }
        }

        double bytes = 2.0 * (silos - 1) / silos * floats * (wire == WireFormat.Bf16 ? 2 : 4);
        double seconds = exchanges.Median(), rawSeconds = raw.Median();
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            silos,
            mfloats = floats / 1e6,
            wire = wire.ToString(),
            exchange_s = seconds,
            raw_s = rawSeconds,
            bus_gb_per_s = bytes / seconds / 1e9,
            raw_gb_per_s = bytes / rawSeconds / 1e9,
            ns_per_float = seconds / floats * 1e9,
            fraction_of_raw = rawSeconds / seconds,
        }));

        double Slowest(string order) => children.Ask(order).Max(seconds => double.Parse(seconds, CultureInfo.InvariantCulture));
    }
}
