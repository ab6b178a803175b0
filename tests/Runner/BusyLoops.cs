namespace PixelCnnCluster.Runner;

/// <summary>Threads that take time from the tests.</summary>
public sealed class BusyLoops : IDisposable
{
    private readonly List<Thread> _threads = [];
    private volatile bool _isOver;

    public BusyLoops(int count)
    {
        for (int index = 0; index < count; index++)
        {
            var thread = new Thread(Spin) { IsBackground = true };
            thread.Start();
            _threads.Add(thread);
        }
    }

    public void Dispose()
    {
        _isOver = true;
        _threads.ForEach(thread => thread.Join());
    }

    private void Spin()
    {
        while (!_isOver)
            Thread.SpinWait(1000);
    }
}
