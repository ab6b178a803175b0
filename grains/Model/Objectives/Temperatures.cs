namespace PixelCnnCluster.Model.Objectives;

/// <summary>How bold sampling is: 1 samples from the model, less keeps nearer to what is likeliest, 0 takes the mode.</summary>
/// <param name="Mixture">Divides the logits of the mixture's components; at 0 the likeliest component is taken.</param>
/// <param name="Logistic">Multiplies the spread of each logistic; at 0 its mean is taken.</param>
public sealed record Temperatures(double Mixture = 1, double Logistic = 1)
{
    public static Temperatures One { get; } = new();

    /// <exception cref="ArgumentOutOfRangeException">A temperature is negative or not a finite number.</exception>
    internal void Check()
    {
        foreach (double temperature in new[] { Mixture, Logistic })
        {
            if (!double.IsFinite(temperature) || temperature < 0)
                throw new ArgumentOutOfRangeException(nameof(temperature), $"A temperature must be 0 or more, and {temperature} is not.");
        }
    }
}
