namespace PixelCnnCluster.Training.Pickles;

/// <summary>Something that a pickle builds: what it sets as its state is taken, and nothing is called.</summary>
internal interface IPickledObject
{
    /// <exception cref="InvalidDataException">It has no such state.</exception>
    void Build(object? state);
}

/// <summary>A Python dictionary as it was filled: the last of equal keys holds.</summary>
internal sealed class PickledDictionary : IPickledObject
{
    private List<(object? Key, object? Value)>? _items;

    public IReadOnlyList<(object? Key, object? Value)> Items => _items ?? [];

    /// <summary>Value of a text; null where there is none.</summary>
    public object? this[string key] => Items.LastOrDefault(item => item.Key is string text && text == key).Value;

    public void Add(object? key, object? value) => (_items ??= []).Add((key, value));

    /// <remarks>Attributes, such as a state_dict's versions, are of no use.</remarks>
    public void Build(object? state)
    {
        if (state is not PickledDictionary)
            throw PickleReader.Garbled();
    }
}
