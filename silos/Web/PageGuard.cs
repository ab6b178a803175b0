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
    private const string Cookie = "pixelcnn-", Parameter = "token", Bearer = "Bearer ";

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
        // Pages elsewhere may link to these, and not read, show or load them.
        app.Use((context, next) =>
        {
            IHeaderDictionary asked = context.Request.Headers;
            context.Response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            if (asked["Sec-Fetch-Site"] != "cross-site" || (asked["Sec-Fetch-Mode"] == "navigate" && asked["Sec-Fetch-Dest"] == "document"))
                return next();
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return Task.CompletedTask;
        });
        if (IsLoopback(settings))
            return;
        byte[] token = Encoding.UTF8.GetBytes(settings.HttpToken!);
        // A browser shows cookies to all ports of a host, so it gets neither the token nor the cookie of another cluster.
        string cookie = Cookie + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings.ClusterId)).AsSpan(0, 8));
        string ticket = Convert.ToHexStringLower(HMACSHA256.HashData(token, Encoding.UTF8.GetBytes(cookie)));
        app.Use(async (context, next) =>
        {
            HttpRequest request = context.Request;
            if (Shows(request.Query[Parameter], token))
            {
                context.Response.Cookies.Append(cookie, ticket, new() { HttpOnly = true, SameSite = SameSiteMode.Lax });
                // The token leaves the address, which has one slash: two, or one and a backslash, would name another host.
                context.Response.Redirect(new PathString("/" + request.Path.Value!.TrimStart('/', '\\')).ToUriComponent());
            }
            else if (request.Path.StartsWithSegments("/health")
                || (settings.OpenMetrics && request.Path.StartsWithSegments("/metrics"))
                || Shows(
                    request.Headers.Authorization.ToString() is { } header && header.StartsWith(Bearer, StringComparison.Ordinal)
                        ? header[Bearer.Length..] : null,
                    token)
                || Shows(request.Cookies[cookie], Encoding.UTF8.GetBytes(ticket)))
            {
                await next();
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                context.Response.Headers.WWWAuthenticate = "Bearer";
                await context.Response.WriteAsync(
                    "This page needs the silo's token (Silo:HttpToken): as a bearer token, or once behind the address as ?token=...\n");
            }
        });

        static bool Shows(string? shown, byte[] secret) =>
            shown is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown), secret);
    }

    private static bool IsLoopback(SiloSettings settings) => IPAddress.IsLoopback(IPAddress.Parse(settings.HttpAddress));
}
