using PixelCnnCluster.Training.Pickles;

namespace PixelCnnCluster.Training.Weights;

/// <summary>Finds the tensors in what a program saved.</summary>
internal static class StateDict
{
    private const string DataParallel = "module.";

    /// <summary>The saved value itself where it is a dictionary of tensors, or the one such dictionary in it.</summary>
    /// <exception cref="WeightFileException">There is none, or more than one.</exception>
    public static Dictionary<string, PickledTensor> Of(object? saved)
    {
        if (IsTensors(saved))
            return AsTensors((PickledDictionary)saved!);
        // Of many keys for one dictionary, which takes a few bytes each, the first counts.
        (object? Key, object? Value)[] inner = saved is PickledDictionary wrapper
            ? [.. wrapper.Items.DistinctBy(item => item.Value, ReferenceEqualityComparer.Instance).Where(item => IsTensors(item.Value))]
            : [];
        return inner switch
        {
            [var only] => AsTensors((PickledDictionary)only.Value!),
            [] => throw new WeightFileException("holds no dictionary of tensors; save it again with torch.save(model.state_dict(), ...)"),
            _ => throw new WeightFileException(
                $"holds several dictionaries of tensors ({WeightFileException.List([.. inner.Select(item => $"{item.Key}")])}); save the " +
                $"one that is meant alone"),
        };
    }

    private static bool IsTensors(object? value) =>
        value is PickledDictionary { Items: [_, ..] items } && items.All(item => item is { Key: string, Value: PickledTensor });

    private static Dictionary<string, PickledTensor> AsTensors(PickledDictionary dictionary)
    {
        IReadOnlyList<(object? Key, object? Value)> items = dictionary.Items;
        int prefix = items.All(item => ((string)item.Key!).StartsWith(DataParallel, StringComparison.Ordinal)) ? DataParallel.Length : 0;
        var tensors = new Dictionary<string, PickledTensor>();
        foreach ((object? key, object? tensor) in items)
            tensors[((string)key!)[prefix..]] = (PickledTensor)tensor!;
        return tensors;
    }
}
