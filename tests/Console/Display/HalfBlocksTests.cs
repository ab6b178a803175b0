using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;
using Spectre.Console;

namespace PixelCnnCluster.Console.Tests.Display;

public sealed class HalfBlocksTests
{
    private static ImageStack Grey(int count, int size) =>
        new([.. Enumerable.Range(0, count * size * size).Select(i => (byte)i)], count, Channels: 1, size);

    private static Color Level(int grey) => new((byte)grey, (byte)grey, (byte)grey);

    [Fact]
    public void Images_stand_side_by_side_with_a_gap()
    {
        Color?[,] grid = HalfBlocks.Grid(Grey(count: 2, size: 2), width: 5, height: 10);

        Assert.Equal(
            new Color?[,] { { Level(0), Level(1), null, Level(4), Level(5) }, { Level(2), Level(3), null, Level(6), Level(7) } }, grid);
    }

    [Fact]
    public void What_does_not_fit_the_width_goes_to_the_next_row_and_lines_are_even()
    {
        Color?[,] grid = HalfBlocks.Grid(Grey(count: 2, size: 2), width: 4, height: 10);

        Assert.Equal(new Color?[,]
        {
            { Level(0), Level(1) }, { Level(2), Level(3) }, { null, null }, { Level(4), Level(5) }, { Level(6), Level(7) }, { null, null },
        }, grid);
    }

    [Fact]
    public void What_does_not_fit_the_height_is_left_out_but_for_one_row()
    {
        Assert.Equal(2, HalfBlocks.Grid(Grey(count: 2, size: 2), width: 2, height: 1).GetLength(0));
        Assert.Equal(4, HalfBlocks.Grid(Grey(count: 2, size: 4), width: 4, height: -3).GetLength(0));
    }

    [Fact]
    public void Images_wider_than_the_terminal_are_thinned_out() =>
        Assert.Equal(
            new Color?[,] { { Level(0), Level(2) }, { Level(8), Level(10) } },
            HalfBlocks.Grid(Grey(count: 1, size: 4), width: 2, height: 10));

    [Fact]
    public void Three_channels_are_red_green_and_blue()
    {
        Color?[,] grid = HalfBlocks.Grid(new ImageStack([10, 20, 30], Count: 1, Channels: 3, Size: 1), width: 5, height: 5);

        Assert.Equal(new Color?[,] { { new Color(10, 20, 30) }, { null } }, grid);
    }

    [Fact]
    public void One_character_is_two_pixels()
    {
        using var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.Yes,
                ColorSystem = ColorSystemSupport.TrueColor,
                Out = new AnsiConsoleOutput(text)
            });

        console.Write(HalfBlocks.Render(new Color?[,] { { new Color(1, 2, 3), null }, { new Color(4, 5, 6), null } }));

        Assert.Contains("\e[38;2;1;2;3;48;2;4;5;6m▀\e[0m", text.ToString(), StringComparison.Ordinal);
        Assert.Single(text.ToString(), '▀');
    }
}
