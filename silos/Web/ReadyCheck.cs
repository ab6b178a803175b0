using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace PixelCnnCluster.Silo.Web;

/// <summary>The silo takes part in its cluster: it has joined and is not about to leave.</summary>
internal sealed class ReadyCheck(ISiloStatusOracle membership) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(
        membership.CurrentStatus == SiloStatus.Active ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"The silo is {membership.CurrentStatus}."));
}
