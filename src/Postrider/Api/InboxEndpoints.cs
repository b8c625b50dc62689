using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Queue;

namespace Postrider.Api;

/// <summary>The calls about the inbox: mail that a <c>capture://</c> transport kept, or that staging does not let out.</summary>
static class InboxEndpoints
{
    // A longer mail is shown up to here; its .eml has all of it.
    const int MaxSourceBytes = 1_000_000;

    public static void MapInbox(this IEndpointRouteBuilder app)
    {
        app.MapGet("/inbox", ListAsync).For(Access.Read)
            .WithMetadata(Parameters).Answers<InboxAnswer>(200)
            .Says("listInbox", "Mail that stayed here, newest first.", null, "invalid-cursor", "invalid-field", "unknown-field");
        app.MapGet("/inbox/{id:long}", GetAsync).For(Access.Read)
            .Answers<InboxMailAnswer>(200).Says("getInboxMail", "One mail, with its source.", null, "not-found");
        app.MapGet("/inbox/{id:long}.eml", GetSourceAsync).For(Access.Read).AnswersPlain(200, "message/rfc822", "The mail.")
            .Says("getInboxSource", "The mail as it would have gone over the wire (message/rfc822).", null, "not-found");
        app.MapDelete("/inbox", async (HttpContext context, IInbox inbox, CancellationToken ct) =>
            ApiJson.Answer(new ClearedAnswer(await inbox.ClearAsync(context.Caller.Tenant, ct)))).For(Access.Manage)
            .Answers<ClearedAnswer>(200).Says("clearInbox", "Empties your inbox.");
    }

    static readonly DocumentedParameters Parameters = new(
    [
        new("limit", "1 to 100. Default 20."),
        new("after", "next from the page before: what is older."),
        new("message", "Of this message."),
        new("recipient", "To this address."),
    ]);

    static async Task<Results<JsonHttpResult<InboxAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IInbox inbox, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, Parameters);
        var filter = new InboxFilter
        {
            Limit = query.Limit(),
            Before = query.AfterNumber(),
            Message = query.Value<MessageId>("message", MessageId.TryParse, "message must be the id of a message."),
            Recipient = query.Text("recipient"),
        };
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var mails = await inbox.ListAsync(context.Caller.Tenant, filter with { Limit = filter.Limit + 1 }, ct);
        var page = mails.Take(filter.Limit).Select(m => Shape(m)).ToList();
        var hasMore = mails.Count > filter.Limit;
        return ApiJson.Answer(new InboxAnswer(page, hasMore, hasMore ? page[^1].Id : null));
    }

    static async Task<Results<JsonHttpResult<InboxMailAnswer>, ProblemResult>> GetAsync(
        long id, HttpContext context, IInbox inbox, IMessageReader messages, CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        if (await inbox.GetAsync(tenant, id, ct) is not { } mail)
            return ProblemResult.Absent;
        var content = (await messages.GetContentAsync(tenant, mail.Message, ct))?.WithBodies();
        var source = Encoding.UTF8.GetString(mail.Mime.Span[..Math.Min(mail.Mime.Length, MaxSourceBytes)]);
        return ApiJson.Answer(Shape(mail) with { Text = content?.Text, Html = content?.Html, Source = source });
    }

    static async Task<Results<FileContentHttpResult, ProblemResult>> GetSourceAsync(
        long id, HttpContext context, IInbox inbox, CancellationToken ct)
    {
        if (await inbox.GetAsync(context.Caller.Tenant, id, ct) is not { } mail)
            return ProblemResult.Absent;
        // What a mail holds is never for a browser to run.
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return TypedResults.File(mail.Mime.ToArray(), "message/rfc822", string.Create(CultureInfo.InvariantCulture, $"{id}.eml"));
    }

    static InboxMailAnswer Shape(CapturedMail mail) => new()
    {
        Id = mail.Id.ToString(CultureInfo.InvariantCulture),
        MessageId = mail.Message.ToString(),
        Transport = mail.Transport,
        At = mail.At,
        From = mail.From,
        ReversePath = mail.ReversePath,
        Recipients = mail.Recipients,
        Subject = mail.Subject,
        Bytes = mail.Bytes,
    };
}
