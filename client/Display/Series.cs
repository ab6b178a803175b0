namespace PixelCnnCluster.Client.Display;

/// <summary>Running mean that forgets, corrected for its start: the first value stands for itself.</summary>
public sealed class RunningMean(double decay = 0.95)
{
    private double _sum, _weight;

    public double? Value => _weight > 0 ? _sum / _weight : null;

    public void Add(double value)
    {
        _sum = decay * _sum + (1 - decay) * value;
        _weight = decay * _weight + (1 - decay);
    }
}

/// <summary>A series of any length in at most <paramref name="capacity"/> points: when they are used up, every second one goes.</summary>
public sealed class Series(int capacity)
{
    private readonly List<double> _points = [];
    private long _seen;
    private int _stride = 1;

    public IReadOnlyList<double> Points => _points;

    public void Add(double value)
    {
        if (_seen++ % _stride != 0)
            return;
        _points.Add(value);
        if (_points.Count < capacity)
            return;
        for (int i = 0; 2 * i < _points.Count; i++)
            _points[i] = _points[2 * i];
        _points.RemoveRange((_points.Count + 1) / 2, _points.Count / 2);
        _stride *= 2;
    }
}
