using Postrider.Hosting;

namespace Postrider.Dashboard.Access;

/// <summary>The cookie by which a browser is known. Over https it can be neither read nor set by anything but this very host.</summary>
static class SessionCookie
{
    // RFC 6265bis §4.1.3.2: browsers take __Host- only over https, for the whole host, and from nobody else.
    const string Secured = "__Host-postrider";
    const string Plain = "postrider";
    const string ZoneName = "postrider-zone";

    public static string? Read(HttpContext context) => context.Request.Cookies[IsSecure(context) ? Secured : Plain];

    public static void Write(HttpContext context, string secret, TimeSpan lasting) =>
        context.Response.Cookies.Append(IsSecure(context) ? Secured : Plain, secret, Options(context, lasting));

    public static void Clear(HttpContext context) =>
        context.Response.Cookies.Delete(IsSecure(context) ? Secured : Plain, Options(context, null));

    /// <summary>The browser's time zone, as its script wrote it; null where it did not, or wrote nonsense.</summary>
    public static string? Zone(HttpContext context) =>
        context.Request.Cookies[ZoneName] is { Length: > 0 and < 64 } zone && TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _)
            ? zone : null;

    /// <summary>The browser speaks https, to us or to the proxy before us.</summary>
    public static bool IsSecure(HttpContext context) => context.Request.IsHttps
        || context.RequestServices.GetRequiredService<PostriderOptions>().PublicUrl.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    static CookieOptions Options(HttpContext context, TimeSpan? lasting) => new()
    {
        HttpOnly = true,
        Secure = IsSecure(context),
        SameSite = SameSiteMode.Strict,
        Path = "/",
        MaxAge = lasting,
    };
}
