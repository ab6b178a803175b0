namespace PixelCnnCluster.Training.Devices;

/// <summary>Runs work on a worker's device, one after another.</summary>
public interface IDevice
{
    /// <summary>What it computes on, for people.</summary>
    string Description { get; }

    /// <summary>For how long it has been at what it does now; zero when it has nothing to do.</summary>
    TimeSpan BusyFor { get; }

    Task<T> RunAsync<T>(Func<T> work);

    Task RunAsync(Action work) => RunAsync(() =>
    {
        work();
        return true;
    });

    /// <summary>Runs long work that does not touch the device, apart from the thread pool too.</summary>
    Task<T> RunAsideAsync<T>(Func<T> work);
}
