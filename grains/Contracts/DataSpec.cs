namespace PixelCnnCluster.Contracts;

/// <summary>Where the images of a run come from.</summary>
public enum DataSet { Digits, Mnist, FashionMnist, Cifar, ImageNet, Folder }

/// <summary>The images of a run.</summary>
public sealed record DataSpec
{
    public DataSet DataSet { get; init; } = DataSet.Cifar;

    /// <summary>Folder that holds the data set; not used by <see cref="DataSet.Digits"/>, which come with the program.</summary>
    public string DataDir { get; init; } = "data";

    /// <summary>Side in pixels for <see cref="DataSet.ImageNet"/> (32 or 64) and <see cref="DataSet.Folder"/>.</summary>
    public int ImageSize { get; init; } = 32;

    /// <summary>The run goes on although its images are not those that it has trained on so far.</summary>
    public bool AcceptDataChange { get; init; }

    internal void Validate(SpecMistakes mistakes)
    {
        mistakes.Unless(
            ModelValidation.IsImageSize(ImageSize), $"--image-size is {ImageSize}; give a multiple of 4 from 8 to 64.");
        mistakes.Unless(
            DataSet != DataSet.ImageNet || ImageSize is 32 or 64,
            $"--image-size is {ImageSize}; the small ImageNet data sets are published at 32 and 64.");
    }
}
