namespace PixelCnnCluster.Contracts;

/// <summary>
/// A mistake that the user can mend. The message is one sentence that names the flag or file and the remedy;
/// the console prints it without a stack trace and exits with code 2.
/// </summary>
[GenerateSerializer]
public sealed class UserErrorException : Exception
{
    public UserErrorException(string message) : base(message) { }

    public UserErrorException(string message, Exception inner) : base(message, inner) { }

    public UserErrorException() { }
}
