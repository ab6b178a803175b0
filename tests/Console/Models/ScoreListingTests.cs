using System.Text.Json;
using PixelCnnCluster.Client.Models;
using PixelCnnCluster.Contracts;

namespace PixelCnnCluster.Console.Tests.Models;

/// <summary>Scores as they come in, and how they are listed.</summary>
public sealed class ScoreListingTests
{
    /// <summary>Grey images of 2x2 pixels.</summary>
    private static readonly ModelInfo Model = new()
    {
        Path = "/model",
        Run = "run",
        Step = 1,
        StateHash = "hash",
        Channels = 1,
        Size = 2,
        Spec = Presets.Quick,
    };

    [Fact]
    public void Scores_count_once_in_whatever_order_and_however_often_they_come()
    {
        var scores = new Scores(Model);
        Assert.Equal(0, scores.Done);
        scores.Add(new JobStarted(4));
        scores.Add(new ImagesScored(2, [4, 8], Maps: null));
        Assert.Equal(0.5, scores.Done);
        // A job that was lost with its silo tells all again.
        scores.Add(new JobStarted(4));
        Assert.Equal(0, scores.Done);
        scores.Add(new ImagesScored(2, [4, 8], Maps: null));
        scores.Add(new ImagesScored(0, [12, 16], Maps: null));
        scores.Add(new ImagesScored(0, [12, 16], Maps: null));

        Assert.Equal((1.0, 2.5), (scores.Done, scores.MeanBitsPerDim));
        Assert.Equal([3, 4, 1, 2], Enumerable.Range(0, 4).Select(scores.BitsPerDim));
        // Of 1, 2, 3 and 4 the variance is 5/3.
        Assert.Equal(Math.Sqrt(5.0 / 3 / 4), scores.StandardError!.Value, 1e-12);
    }

    [Fact]
    public void One_score_tells_no_error()
    {
        Scores scores = Of(5);
        Assert.Null(scores.StandardError);
        Assert.Equal(1.25, scores.MeanBitsPerDim);
    }

    [Fact]
    public void A_map_shows_each_image_beside_its_bits()
    {
        var scores = new Scores(Model);
        scores.Add(new JobStarted(2));
        scores.Add(new ImagesScored(1, [8], new([0, 8, 0, 0], [5, 6, 7, 8])));
        scores.Add(new ImagesScored(0, [0], new([0, 0, 0, 0], [1, 2, 3, 4])));

        (ImageStack images, int columns) = scores.Map();

        Assert.Equal((4, 3, 2, 2), (images.Count, images.Channels, images.Size, columns));
        Assert.Equal([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], images.Image(0).ToArray());
        Assert.All(images.Image(1).ToArray(), value => Assert.Equal(0, value));
        Assert.Equal([5, 6, 7, 8, 5, 6, 7, 8, 5, 6, 7, 8], images.Image(2).ToArray());
        Assert.True(images.Image(3)[1] > 200, "8 bits for a grey pixel are bright");
    }

    [Fact]
    public void Csv_quotes_names_that_need_it()
    {
        string text = List(Of(2, 4, 6), listing => listing.WriteCsv(), i => new[] { "plain.png", "a,b.png", "\"c\".png" }[i]);
        Assert.Equal(["image,bits,bits_per_dim", "plain.png,2,0.5", "\"a,b.png\",4,1", "\"\"\"c\"\".png\",6,1.5", ""], text.Split('\n'));
    }

    [Fact]
    public void Json_has_an_object_for_each_image()
    {
        var lines = List(Of(2, 4), listing => listing.WriteJson()).TrimEnd().Split('\n')
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(["0", "1"], lines.Select(line => line.GetProperty("image").GetString()));
        Assert.Equal([0.5, 1.0], lines.Select(line => line.GetProperty("bits_per_dim").GetDouble()));
    }

    [Fact]
    public void People_see_few_images_in_their_order_and_of_many_the_extremes()
    {
        Assert.Equal(
            ["image       bits  bits/dim", "0            2.0     0.500", "1            4.0     1.000", "", ""],
            List(Of(2, 4), listing => listing.WriteLines()).Split('\n'));

        string[] many = List(Of([.. Enumerable.Range(1, 50).Select(i => (double)i)]), listing => listing.WriteLines()).Split('\n');
        Assert.Equal(24, many.Length - 1);
        Assert.StartsWith("49 ", many[1], StringComparison.Ordinal);
        Assert.StartsWith("40 ", many[10], StringComparison.Ordinal);
        Assert.StartsWith("0 ", many[13], StringComparison.Ordinal);
        Assert.StartsWith("9 ", many[22], StringComparison.Ordinal);
    }

    private static Scores Of(params double[] bits)
    {
        var scores = new Scores(Model);
        scores.Add(new JobStarted(bits.Length));
        scores.Add(new ImagesScored(0, bits, Maps: null));
        return scores;
    }

    private static string List(Scores scores, Action<ScoreListing> write, Func<int, string>? name = null)
    {
        using var output = new StringWriter();
        write(new(output, scores, name ?? (i => $"{i}")));
        return output.ToString();
    }
}
