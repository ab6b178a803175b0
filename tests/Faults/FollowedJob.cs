using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Faults;

/// <summary>A job whose events are read as they come; it is begun again when it is lost with its silo.</summary>
public sealed class FollowedJob(IJobGrain grain, Job job)
{
    /// <summary>No event for so long is a hang.</summary>
    private static readonly TimeSpan IdleTimeout = Deadline.Generous;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly List<JobEvent> _events = [];

    /// <summary>Those of the newest beginning.</summary>
    public IReadOnlyList<JobEvent> Events => _events;

    /// <summary>How often it was begun.</summary>
    public int Beginnings { get; private set; }

    /// <summary>Reads up to the first event that fits.</summary>
    /// <param name="awaited">For the message if it does not come.</param>
    public async Task<T> NextAsync<T>(Func<T, bool> fits, string awaited)
        where T : JobEvent
    {
        using var deadline = new CancellationTokenSource(IdleTimeout);
        while (true)
        {
            int known = _events.Count, beginnings = Beginnings;
            await ReadAsync();
            if (_events.OfType<T>().FirstOrDefault(fits) is { } found)
                return found;
            if (_events.Count > known || Beginnings > beginnings)
                deadline.CancelAfter(IdleTimeout);
            if (_events is [.., JobEnded end])
                throw new InvalidOperationException($"The job ended without {awaited}: {end}");
            if (deadline.IsCancellationRequested)
                throw new TimeoutException(
                    $"The job was silent for {IdleTimeout.TotalSeconds} s; {awaited} was awaited. The last it said: " +
                    $"{string.Join(" | ", _events.TakeLast(5))}");
        }
    }

    /// <summary>Waits for the good end, and lets the job go as consoles do.</summary>
    public async Task EndAsync()
    {
        JobEnded end = await NextAsync<JobEnded>(_ => true, "its end");
        await grain.EndAsync();
        if (end.Error is not null)
            throw new InvalidOperationException($"The job failed: {end.Error}");
    }

    /// <summary>Waits for the good end.</summary>
    /// <returns>The images [Count, C, H, W].</returns>
    public async Task<byte[]> PixelsAsync()
    {
        await EndAsync();
        int size = job.Model.Size, planes = job.Model.Channels;
        byte[] pixels = new byte[job.Count * job.Model.ImageBytes];
        bool[] isSampled = new bool[job.Count * size];
        foreach (RowSampled row in _events.OfType<RowSampled>())
        {
            for (int image = row.First; image < row.End; image++)
            {
                if (isSampled[(image * size) + row.Row])
                    throw new InvalidOperationException($"Row {row.Row} of image {image} was told twice.");
                isSampled[(image * size) + row.Row] = true;
                for (int c = 0; c < planes; c++)
                    row.Pixels.AsSpan((((image - row.First) * planes) + c) * size, size).CopyTo(
                        pixels.AsSpan(((((image * planes) + c) * size) + row.Row) * size));
            }
        }

        return isSampled.All(sampled => sampled) ? pixels : throw new InvalidOperationException("The job ended without all of its rows.");
    }

    private async Task ReadAsync()
    {
        try
        {
            if (Beginnings > 0 && await grain.ReadAsync(_events.Count) is { } progress)
            {
                _events.AddRange(progress.Events);
                return;
            }

            await grain.BeginAsync(job);
            _events.Clear();
            Beginnings++;
        }
        catch (Exception fault) when (fault is not UserErrorException)
        {
            await Task.Delay(RetryDelay);
        }
    }
}
