using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Strangers;

/// <summary>Text of others commands no terminal, log or page.</summary>
public sealed class PrintableTests
{
    [Theory]
    [InlineData("\u001b[2Jgone", "?[2Jgone")]
    [InlineData("one\r\ntwo\u0085three\u2028four\u2029five", "one??two?three?four?five")]
    [InlineData("\u009b31m\u007f\0", "?31m??")]
    [InlineData("\u202egpj.exe\u2066\u200f\u061c", "?gpj.exe???")]
    [InlineData("Bücher/می‌خواهم 👩‍👧 – ok", "Bücher/می‌خواهم 👩‍👧 – ok")]
    public void What_would_command_is_replaced_and_letters_stay(string text, string expected)
    {
        Assert.Equal(expected, Printable.Of(text));
        Assert.Equal(text == expected, Printable.Is(text));
        Assert.Equal(expected, new UserErrorException(text).Message);
        Assert.Equal(expected, new UserErrorException(text, new IOException()).Message);
    }

    [Theory]
    [InlineData("a\u001bb")]
    [InlineData("a\u202eb")]
    [InlineData("a\u2028b")]
    public void A_run_is_not_named_so(string name) => Assert.NotNull(RunName.Mistake(name));
}
