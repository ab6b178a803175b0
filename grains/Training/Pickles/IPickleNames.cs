namespace PixelCnnCluster.Training.Pickles;

/// <summary>What stands for a name that a pickle calls: it makes an inert thing of the arguments.</summary>
internal delegate object? PickledCall(object?[] arguments);

/// <summary>
/// What the names in one kind of pickle stand for. A pickle may name any Python function to call; nothing of Python is ever called.
/// </summary>
internal interface IPickleNames
{
    /// <returns>An inert thing, or a <see cref="PickledCall"/> for what the pickle may call.</returns>
    /// <exception cref="Exception">The kind's own, which tells the name, where it has no use for it.</exception>
    object Find(string module, string name);

    /// <summary>What lies beside the pickle under an identity.</summary>
    /// <exception cref="InvalidDataException">Nothing does.</exception>
    object Stored(object?[] identity) => throw PickleReader.Garbled();
}
