using Postrider.Tenants;
using Postrider.Tracking;

namespace Postrider.Api;

/// <summary><c>/t</c>: where the image and the links of tracked mail lead. For the recipients of mail: no credential, no cookie.</summary>
sealed class TrackingEndpoints(
    TrackingTokens tokens, HitBook book, TenantDirectory tenants, TrackingOptions options, TimeProvider clock)
{
    const string OpenPath = "/t/o/{token}";
    const string ClickPath = "/t/c/{token}";

    /// <summary>Of a user agent, characters that are kept.</summary>
    const int MaxUserAgent = 300;

    /// <summary>One transparent dot (GIF89a).</summary>
    static readonly byte[] Dot = Convert.FromBase64String("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");

    /// <summary>The dot for everybody, also for who guesses: only a genuine token is an open.</summary>
    public IResult Open(string token, HttpContext context)
    {
        if (token.EndsWith(".gif", StringComparison.Ordinal) && tokens.TryRead(token[..^4], HitKind.Open, out var read)
            && !MailTracker.IsStopped(tenants, read.Tenant))
            book.Add(HitOf(read, context));
        Guard(context.Response);
        return Results.Bytes(Dot, "image/gif");
    }

    /// <summary>To what the token says and to nothing else: whatever stands beside it in the address is not read.</summary>
    public IResult Click(string token, HttpContext context)
    {
        Guard(context.Response);
        if (!tokens.TryRead(token, HitKind.Click, out var read) || MailTracker.IsStopped(tenants, read.Tenant)
            || !LinkTarget.TryRead(read.Target, out var target))
            return ProblemResult.Absent;
        book.Add(HitOf(read, context));
        context.Response.Headers.Location = target;
        return Results.StatusCode(StatusCodes.Status302Found);
    }

    public static void MapTracking(IEndpointRouteBuilder app)
    {
        var open = (string token, HttpContext context, TrackingEndpoints tracking) => tracking.Open(token, context);
        var click = (string token, HttpContext context, TrackingEndpoints tracking) => tracking.Click(token, context);
        app.MapGet(OpenPath, open).For(Access.Open).TakingAnyParameters().AnswersPlain(200, "image/gif", "The image.")
            .Says("trackOpen", "The image in tracked mail: always a GIF of one dot; a genuine token makes an open.", null);
        app.MapGet(ClickPath, click).For(Access.Open).TakingAnyParameters().AnswersPlain(302, null, "On to where the link led.")
            .Says("trackClick", "A link in tracked mail: 302 to where the sender's link led, and nowhere else.", null, "not-found");
        app.MapMethods(OpenPath, [HttpMethods.Head], open).For(Access.Open).TakingAnyParameters().AnswersPlain(200, null, "There is an image.")
            .Says("trackOpenHead", "As GET, without the image. Only machines ask so.", null);
        app.MapMethods(ClickPath, [HttpMethods.Head], click).For(Access.Open).TakingAnyParameters().AnswersPlain(302, null, "On to where the link led.")
            .Says("trackClickHead", "As GET. Only machines ask so.", null, "not-found");
    }

    Hit HitOf(TrackingToken token, HttpContext context)
    {
        var now = clock.GetUtcNow();
        var headers = context.Request.Headers;
        var agent = headers.UserAgent.ToString();
        string?[] purposes = [headers["Sec-Purpose"], headers["Purpose"], headers["X-Purpose"], headers["X-Moz"]];
        var request = new HitRequest(
            HttpMethods.IsHead(context.Request.Method), agent, string.Join(' ', purposes.Where(purpose => purpose is not null)),
            now - token.Message.At);
        return new Hit(
            token, now, HitClass.WhyMachine(request), agent.Length > MaxUserAgent ? agent[..MaxUserAgent] : agent,
            options.KeepIp ? context.Connection.RemoteIpAddress?.ToString() : null);
    }

    static void Guard(HttpResponse response)
    {
        response.Headers.CacheControl = "no-store";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["X-Robots-Tag"] = "noindex";
        response.Headers.XContentTypeOptions = "nosniff";
    }
}
