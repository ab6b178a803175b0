using CsCheck;
using PixelCnnCluster.Contracts;
using PixelCnnCluster.Files;

namespace PixelCnnCluster.Console.Tests;

public sealed class CheckpointHeaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Metadata_and_settings_come_back()
    {
        var header = CheckpointHeader.Read(Checkpoints.Write(_folder, 12, Presets.Quick with
        {
            Optimiser = Presets.Quick.Optimiser with { Seed = 7 },
        }));

        Assert.Equal("12", header.Metadata["step"]);
        Assert.Equal("a-run", header.Metadata["run"]);
        Assert.Equal(Presets.Quick with { Optimiser = Presets.Quick.Optimiser with { Seed = 7 } }, header.Spec);
    }

    public static TheoryData<string, byte[]> Garbage => new()
    {
        { "empty", [] },
        { "shorter than the length", [1, 2, 3] },
        { "truncated header", Checkpoints.Bytes("{\"__metadata__\""u8.ToArray(), 500) },
        { "absurd length", Checkpoints.Bytes("{}"u8.ToArray(), ulong.MaxValue) },
        { "length just above what a long holds", Checkpoints.Bytes("{}"u8.ToArray(), 1UL << 63) },
        { "no JSON", Checkpoints.Bytes([0xff, 0xfe, 0x00]) },
        { "no object", Checkpoints.Bytes("[1]"u8.ToArray()) },
        { "no metadata", Checkpoints.Bytes("{}"u8.ToArray()) },
        { "null metadata", Checkpoints.Bytes("{\"__metadata__\":null}"u8.ToArray()) },
        { "metadata that is no map of texts", Checkpoints.Bytes("{\"__metadata__\":{\"spec\":{}}}"u8.ToArray()) },
        { "no settings", Checkpoints.Bytes("{\"__metadata__\":{\"step\":\"1\"}}"u8.ToArray()) },
        { "settings that are none", Checkpoints.Bytes("{\"__metadata__\":{\"spec\":\"[]\"}}"u8.ToArray()) },
        { "settings of another kind", Checkpoints.Bytes("{\"__metadata__\":{\"spec\":\"{\\\"data_set\\\":\\\"lsun\\\"}\"}}"u8.ToArray()) },
    };

    [Theory]
    [MemberData(nameof(Garbage))]
    public void Garbage_is_the_users_mistake(string what, byte[] bytes)
    {
        string path = _folder.File("step-000000001.safetensors");
        File.WriteAllBytes(path, bytes);

        UserErrorException mistake = Assert.Throws<UserErrorException>(() => CheckpointHeader.Read(path));

        Assert.True(
            mistake.Message.Contains(path, StringComparison.Ordinal)
                && mistake.Message.Contains("name another", StringComparison.Ordinal), $"{what}: {mistake.Message}");
    }

    [Fact]
    public void Any_bytes_are_a_header_or_the_users_mistake()
    {
        string path = _folder.File("any");
        Gen.Byte.Array[0, 64].Sample(
            bytes =>
            {
                File.WriteAllBytes(path, bytes);
                Assert.Throws<UserErrorException>(() => CheckpointHeader.Read(path));
            },
            iter: 300, threads: 1);
    }

    [Fact]
    public void A_missing_file_is_the_users_mistake() =>
        Assert.Throws<UserErrorException>(() => CheckpointHeader.Read(_folder.File("nowhere")));

    [Fact]
    public void The_newest_is_the_one_with_the_most_steps()
    {
        foreach (string name in new[] { "step-000000009.safetensors", "step-1000000010.safetensors", "step-000000100.safetensors",
            "step-best.safetensors", "step-999999999.safetensors.tmp", "other.safetensors" })
            File.WriteAllBytes(_folder.File(name), []);

        Assert.Equal(_folder.File("step-1000000010.safetensors"), CheckpointHeader.Newest(_folder.Path));
    }

    [Fact]
    public void A_folder_without_checkpoints_has_no_newest()
    {
        Assert.Null(CheckpointHeader.Newest(_folder.Path));
        Assert.Null(CheckpointHeader.Newest(_folder.File("nowhere")));
    }
}
