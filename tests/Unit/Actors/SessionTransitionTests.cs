using System.Text.RegularExpressions;
using PixelCnnCluster.Actors.Workers;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Unit.Tests.Actors;

/// <summary>A worker's session makes the moves of one table, which the documents show.</summary>
public sealed partial class SessionTransitionTests
{
    private static readonly GenerationId First = new(1, Guid.NewGuid()), FirstAgain = new(1, Guid.NewGuid()),
        Second = new(2, Guid.NewGuid());

    [Fact]
    public void The_documents_have_the_same_table()
    {
        string document = File.ReadAllText(Path.Combine(Repository.Root, "docs/design/generations.md"));
        var documented = Rows().Matches(document).ToDictionary(
            row => (Enum.Parse<SessionState>(row.Groups[1].Value), Enum.Parse<SessionEvent>(row.Groups[2].Value)),
            row => Enum.Parse<SessionState>(row.Groups[3].Value));

        Assert.Equivalent(SessionTransitions.All, documented, strict: true);
    }

    [Fact]
    public void A_session_is_prepared_joins_and_leaves()
    {
        using var session = new WorkerSession("run");
        Assert.Equal(SessionState.Idle, session.State);

        session.Prepare(First);
        Assert.True(session.IsIn(First));
        Assert.False(session.IsIn(FirstAgain));
        CancellationToken first = session.Over;
        session.Prepare(First);
        Assert.False(first.IsCancellationRequested);

        session.Prepare(Second);
        Assert.True(first.IsCancellationRequested);

        session.Leave();
        Assert.Equal(SessionState.Idle, session.State);
        Assert.False(session.IsIn(Second));
    }

    [Fact]
    public void A_broken_session_stays_broken_until_it_leaves()
    {
        using var session = new WorkerSession("run");
        session.Prepare(First);

        session.Break(new IOException("The card has fallen off the bus."));
        session.Prepare(Second);

        Assert.Equal(SessionState.Broken, session.State);
        Assert.Throws<IOException>(session.ThrowIfBroken);
        session.Leave();
        session.ThrowIfBroken();
    }

    [Fact]
    public void A_move_that_is_not_in_the_table_is_a_mistake_of_the_program()
    {
        using var session = new WorkerSession("run");

        Assert.Throws<InvalidOperationException>(session.Leave);
    }

    [GeneratedRegex(@"^\| (Idle|Prepared|Member|Broken) \| (\w+) \| (\w+) \|$", RegexOptions.Multiline)]
    private static partial Regex Rows();
}
