using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Queue;

namespace Postrider.Dashboard.Screens;

/// <summary>What strangers wrote, answered apart from every page: HTML that can do nothing, and files that are only ever saved.</summary>
static class Previews
{
    // Beside the frame's own sandbox: whoever opens the address itself is as safe.
    const string Policy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        + "frame-ancestors 'self'";

    // Of files nothing is shown, whatever they claim to be.
    const string FilePolicy = "sandbox; default-src 'none'; frame-ancestors 'none'";

    const string TooMuch = "<p>This HTML has too many elements to be shown here. Look at it as text, or download the source.</p>";

    public static void MapPreviews(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/preview/messages/{id}", async (HttpContext context, string id, Viewer viewer, IMessageReader messages) =>
            Html(context, await OfMessageAsync(context, id, viewer, messages)));
        routes.MapGet("/preview/messages/{id}/source", async (HttpContext context, string id, Viewer viewer, IMessageReader messages) =>
            Source(context, await OfMessageAsync(context, id, viewer, messages), id));
        routes.MapGet("/preview/messages/{id}/attachments/{n:int}", async (
            HttpContext context, string id, int n, Viewer viewer, IMessageReader messages) =>
            Attachment(context, await OfMessageAsync(context, id, viewer, messages), n));
        routes.MapGet("/preview/inbox/{id:long}", async (HttpContext context, long id, Viewer viewer, IInbox inbox) =>
            Html(context, await OfInboxAsync(context, id, viewer, inbox)));
        routes.MapGet("/preview/inbox/{id:long}/source", async (HttpContext context, long id, Viewer viewer, IInbox inbox) =>
            Source(context, await OfInboxAsync(context, id, viewer, inbox), id.ToString(CultureInfo.InvariantCulture)));
        routes.MapGet("/preview/inbox/{id:long}/attachments/{n:int}", async (
            HttpContext context, long id, int n, Viewer viewer, IInbox inbox) =>
            Attachment(context, await OfInboxAsync(context, id, viewer, inbox), n));
        routes.MapGet("/preview/drafts/{id}", (HttpContext context, string id, Viewer viewer, DraftBook drafts) =>
            Html(context, drafts.Find(id, viewer.Session.Id) is { } html ? new ShownMail { Html = html } : null));
    }

    /// <summary>Null: absent, or another tenant's.</summary>
    static async Task<ShownMail?> OfMessageAsync(HttpContext context, string id, Viewer viewer, IMessageReader messages) =>
        MessageId.TryParse(id, out var message)
            && await messages.GetAsync(viewer.Tenant, message, context.RequestAborted) is { } view
            && await messages.GetContentAsync(viewer.Tenant, message, context.RequestAborted) is { } content
            ? ShownMail.Of(view, content) : null;

    static async Task<ShownMail?> OfInboxAsync(HttpContext context, long id, Viewer viewer, IInbox inbox) =>
        await inbox.GetAsync(viewer.Tenant, id, context.RequestAborted) is { } mail ? ShownMail.Of(mail.Mime) : null;

    static Results<ContentHttpResult, NotFound> Html(HttpContext context, ShownMail? mail)
    {
        if (mail?.Html is not { } html)
            return TypedResults.NotFound();
        context.Response.Headers.ContentSecurityPolicy = Policy;
        return TypedResults.Content(PreviewDocument.Make(html, mail.Attachments) ?? TooMuch, "text/html", Encoding.UTF8);
    }

    static Results<FileContentHttpResult, NotFound> Source(HttpContext context, ShownMail? mail, string id) =>
        mail?.Source is { } source ? File(context, source, $"{id}.eml") : TypedResults.NotFound();

    static Results<FileContentHttpResult, NotFound> Attachment(HttpContext context, ShownMail? mail, int n) =>
        mail is not null && n >= 0 && n < mail.Attachments.Count
            ? File(context, mail.Attachments[n].Content, mail.Attachments[n].FileName) : TypedResults.NotFound();

    static FileContentHttpResult File(HttpContext context, ReadOnlyMemory<byte> bytes, string name)
    {
        context.Response.Headers.ContentSecurityPolicy = FilePolicy;
        return TypedResults.File(bytes.ToArray(), "application/octet-stream", name);
    }
}
