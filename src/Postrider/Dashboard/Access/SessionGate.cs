using System.Globalization;
using Microsoft.AspNetCore.Antiforgery;
using Postrider.Hosting;
using Postrider.Tenants;

namespace Postrider.Dashboard.Access;

/// <summary>Stands before everything of the dashboard but its style sheets and scripts: finds out who looks, shows the sign-in form to whom
/// it does not know, whatever was asked for, and lets no other site act through the browser.</summary>
sealed class SessionGate(RequestDelegate next, Sessions sessions, LiveSessions live, PostriderOptions options, IAntiforgery antiforgery)
{
    public const string SignInPath = "/sign-in";
    public const string WelcomePath = "/welcome";
    const string HubPath = "/_blazor";

    /// <summary>Asked by a page whose connection was cut: 204 while somebody is signed in, 503 while the process stops, else 401.</summary>
    const string StatePath = "/session";
    static readonly object WantedKey = new();
    static readonly object EndedKey = new();

    /// <summary>What was asked for when the sign-in form was shown instead.</summary>
    public static string WantedOf(HttpContext context) => context.Items[WantedKey] as string ?? $"{context.Request.PathBase}/";

    /// <summary>Whether the browser brought a session that is over, rather than none.</summary>
    public static bool HasEnded(HttpContext context) => context.Items.ContainsKey(EndedKey);

    public async Task InvokeAsync(HttpContext context, Viewer viewer)
    {
        var path = context.Request.Path;
        var isHub = path.StartsWithSegments(HubPath);
        if (isHub && !IsOwnOrigin(context))
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, "This connection was asked for by another site.");
            return;
        }
        if (path == StatePath && live.IsClosed)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "Postrider is stopping.");
            return;
        }
        var secret = SessionCookie.Read(context);
        var found = secret is null ? null : await sessions.FindAsync(secret, context.RequestAborted);
        if (found is null)
        {
            if (secret is not null)
                context.Items[EndedKey] = true;
            await StrangerAsync(context, isHub);
            return;
        }
        using var session = new LiveSession(found);
        var (zone, origin) = (SessionCookie.Zone(context), $"{context.Request.Scheme}://{context.Request.Host}");
        var address = context.Connection.RemoteIpAddress?.ToString();
        viewer.Begin(session, zone, origin, address);
        context.User = ViewerCircuits.Claims(found.Session.Id, zone, origin, address);
        if (isHub)
            await ConnectAsync(context, found);
        else if (path == StatePath)
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        else if (!path.HasValue || path == SignInPath)
            context.Response.Redirect($"{context.Request.PathBase}/");
        else if (await IsWantedAsync(context))
            await next(context);
    }

    async Task StrangerAsync(HttpContext context, bool isHub)
    {
        if (isHub || context.Request.Path == StatePath)
        {
            await RefuseAsync(context, StatusCodes.Status401Unauthorized, "Nobody is signed in.");
            return;
        }
        // A link from elsewhere comes without the cookie, which is for this site alone; a page of ours that asks again brings it.
        if (HttpMethods.IsGet(context.Request.Method) && context.Request.Headers["Sec-Fetch-Site"] == "cross-site"
            && context.Request.Headers["Sec-Fetch-Dest"] == "document")
        {
            context.Response.Headers["Refresh"] = "0";
            await RefuseAsync(context, StatusCodes.Status200OK, "One moment.");
            return;
        }
        if (context.Request.Path != WelcomePath)
        {
            if (context.Request.Path != SignInPath)
                context.Items[WantedKey] = context.Request.PathBase + context.Request.Path + context.Request.QueryString;
            (context.Request.Path, context.Request.QueryString) = (SignInPath, QueryString.Empty);
        }
        if (await IsWantedAsync(context))
            await next(context);
    }

    /// <summary>A page's live connection, as long as it lasts. There is but one kind of it, so that it can be counted and cut.</summary>
    async Task ConnectAsync(HttpContext context, SignedIn found)
    {
        if (!IsSocket(context))
        {
            if (context.Request.Path == HubPath && HttpMethods.IsGet(context.Request.Method))
                await RefuseAsync(context, StatusCodes.Status400BadRequest, "The dashboard needs WebSockets; a proxy before it must let them pass.");
            else
                await next(context);
            return;
        }
        if (!live.TryEnter(context, found))
        {
            if (live.IsClosed)
                await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "Postrider is stopping.");
            else
                await RefuseAsync(context, StatusCodes.Status429TooManyRequests, string.Create(CultureInfo.InvariantCulture,
                    $"There are {LiveSessions.MaxOfUser} pages open. Close some."));
            return;
        }
        try
        {
            await next(context);
        }
        finally
        {
            live.Leave(context);
        }
    }

    /// <summary>Whatever changes something must come from a form of ours.</summary>
    async Task<bool> IsWantedAsync(HttpContext context)
    {
        var method = context.Request.Method;
        if (HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || await antiforgery.IsRequestValidAsync(context))
            return true;
        await RefuseAsync(context, StatusCodes.Status400BadRequest,
            "The form was not sent by a page of the dashboard, or the page was too old. Go back, load it again, and send it once more.");
        return false;
    }

    /// <summary>Browsers say which site opens a connection or posts, and let none lie; what says nothing is no browser, and has no business
    /// here.</summary>
    bool IsOwnOrigin(HttpContext context)
    {
        var request = context.Request;
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0)
            return HttpMethods.IsGet(request.Method) && !IsSocket(context);
        return Uri.TryCreate(origin, UriKind.Absolute, out var from)
            && (IsSame(from, $"{request.Scheme}://{request.Host}") || (options.PublicUrl.Length > 0 && IsSame(from, options.PublicUrl)));
    }

    // HTTP/1.1 upgrades (RFC 6455 §4.1), HTTP/2 connects (RFC 8441 §4).
    static bool IsSocket(HttpContext context) => HttpMethods.IsConnect(context.Request.Method)
        || context.Request.Headers.Upgrade.ToString().Contains("websocket", StringComparison.OrdinalIgnoreCase);

    static bool IsSame(Uri origin, string address) => Uri.TryCreate(address, UriKind.Absolute, out var own)
        && Uri.Compare(origin, own, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    static Task RefuseAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text + "\n");
    }
}
