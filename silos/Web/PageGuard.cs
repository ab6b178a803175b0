using System.Net;
using System.Security.Cryptography;
using System.Text;
using PixelCnnCluster.Silo.Settings;

namespace PixelCnnCluster.Silo.Web;

/// <summary>
/// Who may read the pages: on loopback whoever is on this machine, beyond it whoever shows the token, as a bearer or once as
/// <c>?token=</c>, which a cookie then remembers. Health is open, so that a kubelet can ask; /metrics is by setting.
/// </summary>
internal static class PageGuard
{
    private const string Cookie = "pixelcnn", Parameter = "token", Bearer = "Bearer ";

    public static void AddTo(WebApplicationBuilder builder, SiloSettings settings)
    {
        // A page elsewhere whose name resolves to this machine must not read these through somebody's browser.
        if (IsLoopback(settings))
        {
            string own = settings.HttpAddress.Contains(':', StringComparison.Ordinal) ? $"[{settings.HttpAddress}]" : settings.HttpAddress;
            builder.Configuration["AllowedHosts"] = $"localhost;127.0.0.1;[::1];{own}";
        }

        // It tells the address of each request, and the token is in some.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning);
    }

    public static void Use(WebApplication app, SiloSettings settings)
    {
        // Nothing here changes anything, and that stays so whatever is mounted.
        app.Use((context, next) =>
        {
            if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
                return next();
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = "GET, HEAD";
            return Task.CompletedTask;
        });
        if (IsLoopback(settings))
            return;
        byte[] token = Encoding.UTF8.GetBytes(settings.HttpToken!);
        app.Use(async (context, next) =>
        {
            HttpRequest request = context.Request;
            if (request.Path.StartsWithSegments("/health") || (settings.OpenMetrics && request.Path.StartsWithSegments("/metrics"))
                || Shows(
                    request.Headers.Authorization.ToString() is { } header && header.StartsWith(Bearer, StringComparison.Ordinal)
                        ? header[Bearer.Length..] : null)
                || Shows(request.Cookies[Cookie]))
            {
                await next();
            }
            else if (Shows(request.Query[Parameter]))
            {
                context.Response.Cookies.Append(Cookie, request.Query[Parameter]!, new() { HttpOnly = true, SameSite = SameSiteMode.Lax });
                // It has one slash: two would name another host.
                context.Response.Redirect("/" + request.Path.Value!.TrimStart('/'));
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                context.Response.Headers.WWWAuthenticate = "Bearer";
                await context.Response.WriteAsync(
                    "This page needs the silo's token (Silo:HttpToken): as a bearer token, or once behind the address as ?token=...\n");
            }
        });

        bool Shows(string? shown) => shown is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown), token);
    }

    private static bool IsLoopback(SiloSettings settings) => IPAddress.IsLoopback(IPAddress.Parse(settings.HttpAddress));
}
