namespace PixelCnnCluster.Actors;

/// <summary>
/// Lets a call that comes again, because its answer did not arrive, share the work and the answer of the first. The newest few
/// are remembered; one that failed is done anew.
/// </summary>
internal sealed class RepeatedCalls
{
    private const int Remembered = 16;

    private readonly Dictionary<object, Task> answers = [];
    private readonly Queue<object> oldestFirst = [];

    /// <param name="key">Equal for calls that are the same.</param>
    public Task<T> Once<T>(object key, Func<Task<T>> work)
    {
        lock (answers)
        {
            if (answers.TryGetValue(key, out Task? known) && !known.IsFaulted && !known.IsCanceled)
                return (Task<T>)known;
            Task<T> answer = work();
            answers[key] = answer;
            if (known is null)
                oldestFirst.Enqueue(key);
            while (oldestFirst.Count > Remembered && answers[oldestFirst.Peek()].IsCompleted)
                answers.Remove(oldestFirst.Dequeue());
            return answer;
        }
    }
}
