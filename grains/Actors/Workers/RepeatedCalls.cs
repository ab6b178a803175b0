namespace PixelCnnCluster.Actors.Workers;

/// <summary>
/// Lets a call that comes again, because its answer did not arrive, share the work and the answer of the first. The newest few
/// are remembered; one that failed is done anew.
/// </summary>
internal sealed class RepeatedCalls
{
    private const int Remembered = 16;

    private readonly Dictionary<object, Task> _answers = [];
    private readonly Queue<object> _oldestFirst = [];

    /// <param name="key">Equal for calls that are the same.</param>
    public Task<T> Once<T>(object key, Func<Task<T>> work)
    {
        lock (_answers)
        {
            if (_answers.TryGetValue(key, out Task? known) && !known.IsFaulted && !known.IsCanceled)
                return (Task<T>)known;
            Task<T> answer = work();
            _answers[key] = answer;
            if (known is null)
                _oldestFirst.Enqueue(key);
            while (_oldestFirst.Count > Remembered && _answers[_oldestFirst.Peek()].IsCompleted)
                _answers.Remove(_oldestFirst.Dequeue());
            return answer;
        }
    }
}
