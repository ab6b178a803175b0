using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Arguments;

public sealed class SaveRuleTests
{
    [Fact]
    public void Rules_of_all_units_are_taken_together()
    {
        RunSpec spec = Reading.Good("--save-every", "500steps", "--save-every", "90s", "--save-every", "2epochs").Spec;

        Assert.Equal((500L, 1.5, 2), (spec.Output.SaveSteps, spec.Output.SaveMinutes, spec.Output.SaveInterval));
    }

    [Theory]
    [InlineData("1h", 60)]
    [InlineData("10min", 10)]
    [InlineData("0.5min", 0.5)]
    public void Times_become_minutes(string rule, double minutes) =>
        Assert.Equal(minutes, Reading.Good("--save-every", rule).Spec.Output.SaveMinutes);

    [Fact]
    public void Ten_minutes_are_the_default()
    {
        RunSpec spec = Reading.Good().Spec;

        Assert.Equal((null, 10.0), (spec.Output.SaveSteps, spec.Output.SaveMinutes));
    }

    [Theory]
    [InlineData("500")]
    [InlineData("steps")]
    [InlineData("1.5epochs")]
    [InlineData("0steps")]
    [InlineData("10 parsecs")]
    [InlineData("0min")]
    public void What_is_no_rule_is_a_mistake_that_names_the_flag(string rule) =>
        Assert.Contains(Reading.Mistakes("--save-every", rule), mistake => mistake.StartsWith("--save-every", StringComparison.Ordinal));
}
