using System.Net;
using Microsoft.AspNetCore.Connections.Features;

namespace Postrider.Dashboard.Access;

/// <summary>What a browser is told not to do, on every answer of the dashboard.</summary>
sealed class SecurityHeaders(RequestDelegate next, Entropy entropy)
{
    const int NonceBytes = 16;
    static readonly object NonceKey = new();

    /// <summary>What scripts of this answer carry.</summary>
    public static string NonceOf(HttpContext context) => context.Items[NonceKey] as string ?? "";

    public Task InvokeAsync(HttpContext context)
    {
        Span<byte> bytes = stackalloc byte[NonceBytes];
        entropy.Fill(bytes);
        var nonce = Convert.ToBase64String(bytes);
        context.Items[NonceKey] = nonce;
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = PagePolicy(nonce);
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
        headers["X-DNS-Prefetch-Control"] = "off";
        headers.CacheControl = "no-cache, no-store";
        headers.Pragma = "no-cache"; // what tokens of forms ask for, too
        if (context.Request.IsHttps && !IsOfOwnMaking(context))
            headers.StrictTransportSecurity = "max-age=31536000";
        return next(context);
    }

    /// <summary>A certificate of our own making is only ever for a loopback address. Where a proxy ends TLS it is the proxy's.</summary>
    static bool IsOfOwnMaking(HttpContext context) => context.Features.Get<ITlsHandshakeFeature>() is not null
        && (context.Connection.LocalIpAddress is not { } local || IPAddress.IsLoopback(local));

    // Attributes of style are what the components position things with; no tenant's text gets into one.
    static string PagePolicy(string nonce) =>
        $"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        + "img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'self'; "
        + "frame-ancestors 'none'";
}
