using System.Text.RegularExpressions;
using k8s.Models;

namespace PixelCnnCluster.Deployment.Tests;

/// <summary>The environment that Kubernetes gives a container.</summary>
internal static partial class PodEnvironment
{
    /// <param name="fields">Values of the pod's own fields, by path.</param>
    /// <param name="secret">Value of a secret's key.</param>
    /// <exception cref="KeyNotFoundException">A value refers to a variable that is not defined before it, or to a field that is not
    /// there.</exception>
    public static IReadOnlyDictionary<string, string> Of(
        V1Container container, IReadOnlyDictionary<string, string> fields, Func<V1SecretKeySelector, string> secret)
    {
        Dictionary<string, string> values = [];
        foreach (V1EnvVar variable in container.Env)
        {
            values[variable.Name] = variable switch
            {
                { ValueFrom.FieldRef: { } field } => fields[field.FieldPath],
                { ValueFrom.SecretKeyRef: { } key } => secret(key),
                { Value: { } value } => Reference().Replace(value, match => values[match.Groups["name"].Value]),
                _ => throw new NotSupportedException($"{variable.Name} has a source that is not known here"),
            };
        }

        return values;
    }

    [GeneratedRegex(@"\$\((?<name>\w+)\)")]
    private static partial Regex Reference();
}
