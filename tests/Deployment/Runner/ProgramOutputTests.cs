using PixelCnnCluster.Runner;

namespace PixelCnnCluster.Deployment.Tests.Runner;

public sealed class ProgramOutputTests
{
    private static readonly string[] Lines =
    [
        "  Starting:    Unit.Tests",
        "    N.A.Passes(text: \"a [FAIL]\") [STARTING]", "    N.A.Passes(text: \"a [FAIL]\") [FINISHED] Time: 0.5s",
        "    N.A.Fails [STARTING]", "    N.A.Fails [FAIL]", "      Output:", "        what it wrote", "    N.A.Fails [FINISHED] Time: 12s",
        "    N.A.Explicit [STARTING]", "    N.A.Explicit [NOT RUN]", "    N.A.Explicit [FINISHED] Time: 0s",
        "    N.A.Hangs [STARTING]", "Process terminated.",
    ];

    [Fact]
    public void A_crashed_program_leaves_the_tests_that_had_ended() =>
        Assert.Equal(
            [("A.Passes(text: \"a [FAIL]\")", Outcome.Passed, 0.5), ("A.Fails", Outcome.Failed, 12)],
            ProgramOutput.Finished("Unit.Tests", Lines).Select(test => (test.ShortName, test.Outcome, test.Time.TotalSeconds)));

    [Fact]
    public void The_test_that_had_not_ended_is_known() => Assert.Equal(["A.Hangs"], ProgramOutput.Running(Lines));

    [Fact]
    public void A_failure_is_seen_at_once() => Assert.Equal(["A.Fails"], Lines.Select(ProgramOutput.Failed).OfType<string>());
}
