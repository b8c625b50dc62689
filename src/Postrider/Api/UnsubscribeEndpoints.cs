using System.Globalization;
using System.Net.Mime;
using System.Text;
using System.Text.Encodings.Web;
using Postrider.Feedback;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Suppression;

namespace Postrider.Api;

/// <summary><c>/u/…</c>: where recipients unsubscribe, a mail program by one POST (RFC 8058), a person by a page with one button. To look
/// at the page changes nothing: programs that follow links must not unsubscribe anybody.</summary>
static class UnsubscribeEndpoints
{
    const string Vendor = "unsubscribe";

    public static void MapUnsubscribe(this IEndpointRouteBuilder app)
    {
        var ask = (string token, HttpContext context, UnsubscribeLinks links) =>
            links.TryRead(token, out var who) ? Page(context, 200, "Unsubscribe", Ask(who)) : Absent(context);
        app.MapGet(UnsubscribeLinks.Path + "{token}", ask).For(Access.Open).TakingAnyParameters()
            .AnswersPlain(200, "text/html", "The question.").Says("unsubscribePage", "For recipients: asks whether they want no more mail.");
        app.MapMethods(UnsubscribeLinks.Path + "{token}", [HttpMethods.Head], ask).For(Access.Open).TakingAnyParameters()
            .AnswersPlain(200, null, "There is a question.").Says("unsubscribePageHead", "As GET, without the page. Only machines ask so.");
        app.MapPost(UnsubscribeLinks.Path + "{token}", UnsubscribeAsync).For(Access.Open).TakingAnyParameters()
            .AnswersPlain(200, "text/html", "It is done.").Says("unsubscribe", "For recipients and their mail programs: no more mail of this stream goes to the address.");
    }

    static async Task<IResult> UnsubscribeAsync(string token, HttpContext context, UnsubscribeLinks links, UnsubscribeCalls calls,
        ISuppressionStore list, FeedbackReceiver feedback, IMessageReader messages, TimeProvider clock)
    {
        if (calls.OfSource(context.Connection.RemoteIpAddress) is { } wait)
            return TooMany(context, wait);
        if (!links.TryRead(token, out var who))
            return Absent(context);
        if (calls.OfAddress(who.Tenant.Value, who.Email) is { } again)
            return TooMany(context, again);
        var now = clock.GetUtcNow();
        // First and by itself: it must hold also when the message is long gone. On disk before it is said to be done.
        await list.AddAsync(who.Tenant, [new SuppressedAddress(
            who.Email, who.Stream, SuppressionCause.Unsubscribed, "unsubscribed by the link in the mail", who.Message, now, null)]);
        if (await messages.GetAsync(who.Tenant, who.Message, CancellationToken.None) is not null)
            await feedback.TakeAsync([ReportOf(who, now)], CancellationToken.None);
        return Page(context, 200, "Unsubscribed", $"<p>{Shown(who)} gets no more of these mails.</p>");
    }

    static FeedbackReport ReportOf(Unsubscription who, DateTimeOffset now) => new()
    {
        Vendor = Vendor,
        Transport = null,
        Message = who.Message,
        N = who.N,
        Event = new FeedbackEvent
        {
            Kind = FeedbackKind.Unsubscribed,
            Type = "one-click",
            // Once a minute is often enough for a timeline.
            Key = string.Create(CultureInfo.InvariantCulture, $"{who.Message}-{who.N}/{now.ToUnixTimeSeconds() / 60}"),
            At = now,
            Address = who.Email,
        },
    };

    static string Ask(Unsubscription who) =>
        $"""<p>Stop these mails to {Shown(who)}?</p><form method="post"><button type="submit">Unsubscribe</button></form>""";

    /// <summary>The link may have been passed on: enough for its owner to know it by.</summary>
    static string Shown(Unsubscription who) =>
        HtmlEncoder.Default.Encode($"{who.Email[..1]}…{who.Email[who.Email.LastIndexOf('@')..]}");

    static IResult Absent(HttpContext context) => Page(context, 404, "Not found", "<p>This link is not complete. Copy all of it.</p>");

    static IResult TooMany(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return Page(context, 429, "Too many", "<p>There were too many of these calls. Try again in a minute.</p>");
    }

    static IResult Page(HttpContext context, int status, string title, string body)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.ContentSecurityPolicy =
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        headers["Referrer-Policy"] = "no-referrer";
        headers.XContentTypeOptions = "nosniff";
        headers["X-Robots-Tag"] = "noindex";
        return Results.Text($$"""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{title}}</title>
            <style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}
            button{font:inherit;padding:.5rem 1.2rem}</style></head><body><h1>{{title}}</h1>{{body}}</body></html>
            """, MediaTypeNames.Text.Html, Encoding.UTF8, status);
    }
}
