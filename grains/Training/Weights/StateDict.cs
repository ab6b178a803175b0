namespace PixelCnnCluster.Training.Weights;

/// <summary>Finds the tensors in what a program saved.</summary>
internal static class StateDict
{
    private const string DataParallel = "module.";

    /// <summary>The saved value itself where it is a dictionary of tensors, or the one such dictionary in it.</summary>
    /// <exception cref="WeightFileException">There is none, or more than one.</exception>
    public static Dictionary<string, PickledTensor> Of(object? saved)
    {
        if (AsTensors(saved) is { } tensors)
            return tensors;
        (object? Key, Dictionary<string, PickledTensor>? Tensors)[] inner = saved is PickledDictionary wrapper
            ? [.. wrapper.Items.Select(item => (item.Key, AsTensors(item.Value))).Where(item => item.Item2 is not null)]
            : [];
        return inner switch
        {
            [(_, { } only)] => only,
            [] => throw new WeightFileException("holds no dictionary of tensors; save it again with torch.save(model.state_dict(), ...)"),
            _ => throw new WeightFileException(
                $"holds several dictionaries of tensors ({WeightFileException.List([.. inner.Select(item => $"{item.Key}")])}); save the " +
                $"one that is meant alone"),
        };
    }

    private static Dictionary<string, PickledTensor>? AsTensors(object? value)
    {
        if (value is not PickledDictionary { Items: [_, ..] items } || !items.All(item => item is { Key: string, Value: PickledTensor }))
            return null;
        int prefix = items.All(item => ((string)item.Key!).StartsWith(DataParallel, StringComparison.Ordinal)) ? DataParallel.Length : 0;
        var tensors = new Dictionary<string, PickledTensor>();
        foreach ((object? key, object? tensor) in items)
            tensors[((string)key!)[prefix..]] = (PickledTensor)tensor!;
        return tensors;
    }
}
