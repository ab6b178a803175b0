using PixelCnnCluster.Client.Display;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Display;

public sealed class FormatTests
{
    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(-5, "0 s")]
    [InlineData(59.9, "59 s")]
    [InlineData(200, "3 min 20 s")]
    [InlineData(3600, "1 h 0 min")]
    [InlineData(7500, "2 h 5 min")]
    [InlineData(442_800, "5 d 3 h")]
    public void Durations_have_their_two_largest_units(double seconds, string text) =>
        Assert.Equal(text, Format.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void What_is_unknown_is_a_dash()
    {
        Assert.Equal("–", Format.Duration(null));
        Assert.Equal("–", Format.Bits(null));
    }

    [Theory]
    [InlineData(null, "0 images/s")]
    [InlineData(0.126, "0.13 images/s")]
    [InlineData(146.6, "147 images/s")]
    public void A_slow_run_shows_its_speed_too(double? imagesPerS, string text) => Assert.Equal(text, Format.Speed(imagesPerS));

    [Theory]
    [InlineData(64.0, 50e6, "64 images/s (3.2 GFLOP/s)")]
    [InlineData(2.5, 40e9, "2.50 images/s (100 GFLOP/s)")]
    [InlineData(null, 40e9, "0 images/s")]
    public void The_rate_of_operations_is_shown_where_it_is_known(double? imagesPerS, double flopsPerImage, string text) =>
        Assert.Equal(text, Format.Speed(imagesPerS, flopsPerImage));

    [Fact]
    public void A_sparkline_goes_from_the_smallest_to_the_largest()
    {
        Assert.Equal("▁▂▃▄▅▆▇█", Format.Sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8));
        Assert.Equal("█▁", Format.Sparkline([99, 5, 2], 2));
        Assert.Equal("▁▁", Format.Sparkline([4, 4], 8));
        Assert.Equal("▁█", Format.Sparkline([1, double.NaN, 2], 8));
        Assert.Equal("", Format.Sparkline([], 8));
    }

    [Theory]
    [InlineData(0, "╌╌╌╌")]
    [InlineData(0.5, "━━╌╌")]
    [InlineData(1, "━━━━")]
    [InlineData(7, "━━━━")]
    public void A_bar_is_full_as_far_as_is_done(double done, string bar) => Assert.Equal(bar, Format.Bar(done, 4));

    [Fact]
    public void The_summary_names_what_was_asked_for()
    {
        Assert.Equal("digits, 1 x 16 filters, 5 logistics, 4 shards of 8 images, learning rate 0.004", Format.Summary(Events.Spec));
        Assert.EndsWith(", focal loss, gamma 2, class conditional, coordinate channels, non-local block",
            Format.Summary(
                Events.Spec with
                {
                    Model = Events.Spec.Model with
                    {
                        Objective = Objective.Focal,
                        ClassConditional = true,
                        CoordinateChannels = true,
                        NonLocal = true
                    },
                }),
                StringComparison.Ordinal);
        Assert.EndsWith(
            ", energy distance", Format.Summary(Events.Spec with
            {
                Model = Events.Spec.Model with { Objective = Objective.EnergyDistance },
            }), StringComparison.Ordinal);
    }
}
