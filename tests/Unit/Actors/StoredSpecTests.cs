using System.Text.Json.Nodes;
using MessagePack;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using PixelCnnCluster.Actors.Runs;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>What was stored before specifications had sections is read, and what is stored now has the same form and more.</summary>
public sealed class StoredSpecTests
{
    private static readonly string Json = """
        {"data_set":"folder","data_dir":"/images","save_dir":"/runs/a","image_size":16,"blocks":2,"filters":24,"mixtures":7,
        "nonlinearity":"elu","dropout":0.25,"class_conditional":true,"coordinate_channels":true,"non_local":true,
        "objective":"focal","focal_gamma":3,"learning_rate":0.002,"learning_rate_decay":0.999,"schedule":"linear",
        "warmup_steps":11,"final_learning_rate":0.0001,"clip_norm":1.5,"weight_decay":0.01,"polyak_decay":0.98,"batch_size":6,
        "init_batch_size":32,"shards":3,"precision":"bf16","wire":"bf16","seed":18446744073709551615,"max_epochs":9,
        "max_steps":5000000000,"max_minutes":12.5,"save_interval":4,"save_steps":250,"save_minutes":7,"keep_checkpoints":5,
        "samples":36,"max_skipped":8,"workers":2,"mixed_workers":true,"accept_data_change":true,
        "load_params":"/runs/b/step-000000000012.safetensors"}
        """.ReplaceLineEndings("");

    private const string MessagePack =
        "3gApp0RhdGFTZXQFp0RhdGFEaXKnL2ltYWdlc6dTYXZlRGlypy9ydW5zL2GpSW1hZ2VTaXplEKZCbG9ja3MCp0ZpbHRlcnMYqE1peHR1cmVzB6" +
        "xOb25saW5lYXJpdHkBp0Ryb3BvdXTLP9AAAAAAAACwQ2xhc3NDb25kaXRpb25hbMOyQ29vcmRpbmF0ZUNoYW5uZWxzw6hOb25Mb2NhbMOpT2Jq" +
        "ZWN0aXZlAapGb2NhbEdhbW1hy0AIAAAAAAAArExlYXJuaW5nUmF0Zcs/YGJN0vGp/LFMZWFybmluZ1JhdGVEZWNhecs/7/fO2RaHK6hTY2hlZH" +
        "VsZQKrV2FybXVwU3RlcHMLsUZpbmFsTGVhcm5pbmdSYXRlyz8aNuLrHEMtqENsaXBOb3Jtyz/4AAAAAAAAq1dlaWdodERlY2F5yz+EeuFHrhR7" +
        "q1BvbHlha0RlY2F5yz/vXCj1wo9cqUJhdGNoU2l6ZQatSW5pdEJhdGNoU2l6ZSCmU2hhcmRzA6lQcmVjaXNpb24CpFdpcmUBpFNlZWTP//////" +
        "////+pTWF4RXBvY2hzCahNYXhTdGVwc88AAAABKgXyAKpNYXhNaW51dGVzy0ApAAAAAAAArFNhdmVJbnRlcnZhbASpU2F2ZVN0ZXBzzPqrU2F2" +
        "ZU1pbnV0ZXPLQBwAAAAAAACvS2VlcENoZWNrcG9pbnRzBadTYW1wbGVzJKpNYXhTa2lwcGVkCKdXb3JrZXJzAqxNaXhlZFdvcmtlcnPDsEFjY2" +
        "VwdERhdGFDaGFuZ2XDqkxvYWRQYXJhbXPZJS9ydW5zL2Ivc3RlcC0wMDAwMDAwMDAwMTIuc2FmZXRlbnNvcnM=";

    private const string Record =
        "IOgnCMcNqugHOMUwESEHeIbyAw0H+MWyBNIHBxhDjyYDh8iDrg4AAAAAAAAcQAd4kVnvGQfosbW+kQeIpn4uYYeIIZHLLUMc6+I2Gj8HNJ0xQQ" +
        "doMziNLYdoLiHJ/Knx0k1iYD8P6E6ZOwMJh/g69ltcj8L1KFzvPwcQELmtAhEHSNLKmAMPaHnXBAMFB5hTVxodB6igTxAJB+ipPjslD3iB5wMD" +
        "CQeYKiFjAwdI0/aJFYd8GFkAAAAAAAAIQIeYFFyC//////////8HmDOxUAlHmA5nng8vaW1hZ2VzB3BTb2QDgYdIi4ZpexSuR+F6hD+HOM6dFC" +
        "uHFtnO9+8/D3i1cwoDBUfYnSUZDy9ydW5zL2EPGOp/SAMVhyiTv54AAAAAAAD4P4dIqPtEAAAAAAAA0D8HCGcluANHyGT2CEsvcnVucy9iL3N0" +
        "ZXAtMDAwMDAwMDAwMDEyLnNhZmV0ZW5zb3JzD8iXOTEDBYf4CwUEAAAAAAAAKUAHeEaMQgMHiD9nPxCAfIFK4EfoJcj5A3jHODaUJgEnsDhRYA" +
        "IABUEDYUADYuDH6ABqgAHHCEtaVQEHOBTQ+moCB9gDQNoBx7BCMxoFAQeYDIFADScQ1iPGAoAAAAAAAAAAAIEAAAAAAAAAAOAPOIa+WgMFh5CH" +
        "iNADAAAAAAAAAADHGGDdEQHHcDoBxAIBBxiTVc4BJ/C80gQC4OA=";

    [Fact]
    public void Json_has_what_it_had()
    {
        var spec = RunSpec.FromJson(Json);

        JsonObject now = JsonNode.Parse(spec.ToJson())!.AsObject();
        Assert.All(JsonNode.Parse(Json)!.AsObject(), before => Assert.Equal($"{before.Value}", $"{now[before.Key]}"));
        Assert.Equal((7, 5_000_000_000, ulong.MaxValue), (spec.Model.Mixtures, spec.Limits.MaxSteps, spec.Optimiser.Seed));
    }

    [Fact]
    public void Message_pack_of_before_is_read()
    {
        RunSpec? spec = Read(Convert.FromBase64String(MessagePack));

        Assert.Equal(RunSpec.FromJson(Json), spec);
        Assert.Equal(spec, Read(MessagePackSerializer.Serialize(spec, cancellationToken: TestContext.Current.CancellationToken)));

        static RunSpec? Read(byte[] bytes) =>
            MessagePackSerializer.Deserialize<RunSpec?>(bytes, cancellationToken: TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_stored_record_is_read()
    {
        using ServiceProvider services = new ServiceCollection().AddSerializer().BuildServiceProvider();
        Serializer serializer = services.GetRequiredService<Serializer>();
        RunRecord? record = serializer.Deserialize<RunRecord>(Convert.FromBase64String(Record));
        Assert.NotNull(record);

        Assert.Equal(RunSpec.FromJson(Json), record.Spec);
        Assert.Equal((RunState.Training, 3, 77), (record.State, record.Generation, record.Step));
        Assert.Equal(record.Spec, serializer.Deserialize<RunRecord>(serializer.SerializeToArray(record))?.Spec);
    }

    [Fact]
    public void What_was_not_stored_has_its_default() => Assert.Equal(new RunSpec(), RunSpec.FromJson("{}"));

    [Fact]
    public void Each_setting_has_its_place_in_the_stored_form()
    {
        string[] settings =
        [
            .. from section in typeof(RunSpec).GetProperties()
               from setting in section.PropertyType.GetProperties()
               where setting.CanWrite
               select setting.Name,
        ];
        Assert.Equal(settings.Order(), typeof(FlatRunSpec).GetProperties().Select(setting => setting.Name).Order());
    }

    [Fact]
    public void Settings_are_shown_in_sections()
    {
        JsonNode config = JsonNode.Parse(RunSpec.FromJson(Json).ToConfig())!;
        Assert.Equal(
            ["data", "model", "optimiser", "schedule", "limits", "output", "compute"],
            config.AsObject().Select(section => section.Key));
        Assert.Equal((7, 0.002), ((int)config["model"]!["mixtures"]!, (double)config["schedule"]!["learning_rate"]!));
        var flat = new JsonObject(config.AsObject().SelectMany(section => section.Value!.AsObject())
            .Select(setting => KeyValuePair.Create(setting.Key, setting.Value?.DeepClone())));
        Assert.Equal(RunSpec.FromJson(Json), RunSpec.FromJson(flat.ToJsonString()));

        Assert.Contains("\"max_steps\": null", new RunSpec().ToConfig(), StringComparison.Ordinal);
    }
}
