using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using MessagePack;
using MessagePack.Formatters;

namespace PixelCnnCluster.Contracts;

/// <summary>
/// A <see cref="RunSpec"/> as it travels and is stored in checkpoints, histories, run records and JSON: without sections, each setting by
/// its name. A setting that was not written is null, and has its default. The great numbers are those under which Orleans has stored
/// the first settings.
/// </summary>
[GenerateSerializer, MessagePackObject(keyAsPropertyName: true)]
public record struct FlatRunSpec
{
    private static readonly PropertyInfo[] Sections = typeof(RunSpec).GetProperties();

    private static readonly (PropertyInfo Section, PropertyInfo Setting, PropertyInfo Flat)[] Settings =
    [
        .. from section in Sections
           from setting in section.PropertyType.GetProperties()
           where setting.CanWrite
           select (section, setting, typeof(FlatRunSpec).GetProperty(setting.Name)!),
    ];

    [Id(3287804970)]
    public DataSet? DataSet { get; init; }

    [Id(2586875939)]
    public string? DataDir { get; init; }

    [Id(3211783561)]
    public string? SaveDir { get; init; }

    [Id(796484065)]
    public int? ImageSize { get; init; }

    [Id(2420778810)]
    public int? Blocks { get; init; }

    [Id(582622243)]
    public int? Filters { get; init; }

    [Id(1866814221)]
    public int? Mixtures { get; init; }

    [Id(1839193556)]
    public Nonlinearity? Nonlinearity { get; init; }

    [Id(3526598624)]
    public double? Dropout { get; init; }

    [Id(3854699326)]
    public bool? ClassConditional { get; init; }

    [Id(3719689808)]
    public bool? CoordinateChannels { get; init; }

    [Id(2054079093)]
    public bool? NonLocal { get; init; }

    [Id(3780703768)]
    public Objective? Objective { get; init; }

    [Id(2199474872)]
    public double? FocalGamma { get; init; }

    [Id(1155463165)]
    public double? LearningRate { get; init; }

    [Id(3174455381)]
    public double? LearningRateDecay { get; init; }

    [Id(1950134220)]
    public LearningRateSchedule? Schedule { get; init; }

    [Id(944563479)]
    public long? WarmupSteps { get; init; }

    [Id(796077627)]
    public double? FinalLearningRate { get; init; }

    [Id(3454264668)]
    public double? ClipNorm { get; init; }

    [Id(3152837490)]
    public double? WeightDecay { get; init; }

    [Id(1314386074)]
    public double? PolyakDecay { get; init; }

    [Id(333895325)]
    public int? BatchSize { get; init; }

    [Id(3042185918)]
    public int? InitBatchSize { get; init; }

    [Id(22164666)]
    public int? Shards { get; init; }

    [Id(1217957099)]
    public Precision? Precision { get; init; }

    [Id(3185415084)]
    public WireFormat? Wire { get; init; }

    [Id(2336166913)]
    public ulong? Seed { get; init; }

    [Id(1946040245)]
    public int? MaxEpochs { get; init; }

    [Id(3921182518)]
    public long? MaxSteps { get; init; }

    [Id(3784918743)]
    public double? MaxMinutes { get; init; }

    [Id(1673902362)]
    public int? SaveInterval { get; init; }

    [Id(27091225)]
    public long? SaveSteps { get; init; }

    [Id(82918790)]
    public double? SaveMinutes { get; init; }

    [Id(2198745001)]
    public int? KeepCheckpoints { get; init; }

    [Id(533868987)]
    public int? Samples { get; init; }

    [Id(18025555)]
    public int? MaxSkipped { get; init; }

    [Id(1883917591)]
    public int? Workers { get; init; }

    [Id(1834116670)]
    public bool? MixedWorkers { get; init; }

    [Id(67523914)]
    public bool? AcceptDataChange { get; init; }

    [Id(3729087644)]
    public string? LoadParams { get; init; }

    [Id(1)]
    public bool? IgnoreMemory { get; init; }

    internal static FlatRunSpec Of(RunSpec spec)
    {
        object flat = new FlatRunSpec();
        foreach ((PropertyInfo section, PropertyInfo setting, PropertyInfo stored) in Settings)
            stored.SetValue(flat, setting.GetValue(section.GetValue(spec)));
        return (FlatRunSpec)flat;
    }

    internal readonly RunSpec ToSpec()
    {
        object flat = this;
        var spec = new RunSpec();
        foreach ((PropertyInfo section, PropertyInfo setting, PropertyInfo stored) in Settings)
        {
            if (stored.GetValue(flat) is { } value)
                setting.SetValue(section.GetValue(spec), value);
        }

        return spec;
    }
}

/// <summary>Orleans' messages and stored records carry the flat form.</summary>
[RegisterConverter]
public sealed class RunSpecConverter : IConverter<RunSpec, FlatRunSpec>
{
    public RunSpec ConvertFromSurrogate(in FlatRunSpec surrogate) => surrogate.ToSpec();

    public FlatRunSpec ConvertToSurrogate(in RunSpec value) => FlatRunSpec.Of(value);
}

/// <summary>JSON has the flat form.</summary>
internal sealed class RunSpecJson : JsonConverter<RunSpec>
{
    public override RunSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<FlatRunSpec>(ref reader, options).ToSpec();

    public override void Write(Utf8JsonWriter writer, RunSpec value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, FlatRunSpec.Of(value), options);
}

/// <summary>Histories have the flat form.</summary>
internal sealed class RunSpecMessagePack : IMessagePackFormatter<RunSpec?>
{
    public RunSpec? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) =>
        options.Resolver.GetFormatterWithVerify<FlatRunSpec?>().Deserialize(ref reader, options)?.ToSpec();

    public void Serialize(ref MessagePackWriter writer, RunSpec? value, MessagePackSerializerOptions options) =>
        options.Resolver.GetFormatterWithVerify<FlatRunSpec?>()
            .Serialize(ref writer, value is null ? null : FlatRunSpec.Of(value), options);
}
