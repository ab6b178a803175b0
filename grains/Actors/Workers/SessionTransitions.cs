namespace PixelCnnCluster.Actors.Workers;

/// <summary>Where a worker's session for a run stands.</summary>
internal enum SessionState
{
    /// <summary>It has not begun, or it is over: the worker serves no run with it.</summary>
    Idle,

    /// <summary>It knows the newest generation, and has no part in it yet.</summary>
    Prepared,

    /// <summary>It has a part in the newest generation and takes steps.</summary>
    Member,

    /// <summary>A gradient whose step was reported could not be applied: nobody knows what the state is.</summary>
    Broken,
}

/// <summary>What happens to a worker's session.</summary>
internal enum SessionEvent
{
    /// <summary>A coordinator prepares it for a generation that is new to it.</summary>
    Prepare,

    /// <summary>It has the generation's state and joins.</summary>
    Join,

    /// <summary>The device could not apply a gradient.</summary>
    Break,

    /// <summary>The run lets it go, or another run takes the worker.</summary>
    Leave,
}

/// <summary>All moves that a session can make. `docs/design/generations.md` has the same table.</summary>
internal static class SessionTransitions
{
    public static IReadOnlyDictionary<(SessionState From, SessionEvent Event), SessionState> All { get; } =
        new Dictionary<(SessionState, SessionEvent), SessionState>
        {
            [(SessionState.Idle, SessionEvent.Prepare)] = SessionState.Prepared,
            [(SessionState.Prepared, SessionEvent.Prepare)] = SessionState.Prepared,
            [(SessionState.Prepared, SessionEvent.Join)] = SessionState.Member,
            [(SessionState.Prepared, SessionEvent.Break)] = SessionState.Broken,
            [(SessionState.Prepared, SessionEvent.Leave)] = SessionState.Idle,
            [(SessionState.Member, SessionEvent.Prepare)] = SessionState.Prepared,
            [(SessionState.Member, SessionEvent.Break)] = SessionState.Broken,
            [(SessionState.Member, SessionEvent.Leave)] = SessionState.Idle,
            [(SessionState.Broken, SessionEvent.Prepare)] = SessionState.Broken,
            [(SessionState.Broken, SessionEvent.Leave)] = SessionState.Idle,
            [(SessionState.Idle, SessionEvent.Break)] = SessionState.Idle,
        };
}
