using PixelCnnCluster.Training;

namespace PixelCnnCluster.Actors.Runs;

/// <summary>What a run has its workers do between two steps.</summary>
internal interface IBetweenSteps
{
    /// <summary>Whether it is due when so many steps are committed, whoever trains.</summary>
    bool IsDue(DataOrder order, long step);

    /// <summary>Does it. A generation that is ending leaves it to the next one; a run that stops leaves it out.</summary>
    Task RunAsync(Generation generation, long step);
}
