using System.Runtime.CompilerServices;
using TorchSharp;

namespace PixelCnnCluster.Unit.Tests;

/// <summary>Kernels use one thread, as on a worker; several test classes at once would fight over the cores.</summary>
internal static class SingleThreaded
{
    [ModuleInitializer]
    internal static void Set() => torch.set_num_threads(1);
}
