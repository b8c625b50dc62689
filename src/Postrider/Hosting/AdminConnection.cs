using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Postrider.Hosting;

/// <summary>Marks connections that came by <c>POSTRIDER_ADMIN_URLS</c>: who can reach those addresses runs the installation.</summary>
sealed class AdminConnection
{
    static readonly AdminConnection Instance = new();
    static readonly string[] Health = ["/healthz", "/readyz", "/metrics"];

    public static void Mark(ListenOptions listen) => listen.Use(next => connection =>
    {
        connection.Features.Set(Instance);
        return next(connection);
    });

    public static bool Is(HttpContext context) => context.Features.Get<AdminConnection>() is not null;

    /// <summary>Such an address is guarded by who can reach it, which is enough for numbers and not for mail.</summary>
    public static Task OnlyHealth(HttpContext context, RequestDelegate next)
    {
        if (!Is(context) || Health.Contains(context.Request.Path.Value, StringComparer.Ordinal))
            return next(context);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }
}
