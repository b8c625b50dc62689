using System.Collections.Frozen;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>One kind of refusal: what <c>GET /problems/{slug}</c> says of it.</summary>
/// <param name="ResendName">The name that Resend's SDKs know it by.</param>
sealed record ProblemKind(string Slug, int Status, string Title, string ResendName, string Explanation);

/// <summary>Every refusal that the API gives, the engine's included: a slug never changes its meaning.</summary>
static class ProblemCatalog
{
    public static readonly IReadOnlyList<ProblemKind> All =
    [
        new("malformed-json", 400, "Malformed JSON", "validation_error",
            "The body is not one JSON value in UTF-8, or an object has the same member twice. Nothing was stored."),
        new("bad-request", 400, "Bad request", "validation_error", "The request breaks HTTP's own rules. Nothing was stored."),
        new("invalid-idempotency-key", 400, "Invalid idempotency key", "invalid_idempotency_key",
            "An Idempotency-Key has 1 to 255 printable ASCII characters, is given once, and has at most 240 for a stream of lines."),
        new("invalid-cursor", 400, "Invalid cursor", "validation_error",
            "after and before take an id from an earlier page, unchanged. Begin again without it."),
        new("unauthenticated", 401, "Unauthenticated", "invalid_api_key",
            "Send Authorization: Bearer and a valid API key or token. A missing, unknown, revoked and expired key get the same answer."),
        new("invalid-token", 401, "Invalid token", "invalid_api_key",
            "The token is not one of ours, has expired, or its key was revoked. GET /tokens says which; POST /tokens makes a new one."),
        new("insufficient-scope", 403, "Insufficient scope", "restricted_api_key",
            "The key is valid but lacks the scope that the call needs. An administrator can make one that has it with POST /keys."),
        new("installation-only", 403, "For the installation only", "restricted_api_key",
            "The call concerns all tenants. It needs a key of the first tenant, which runs the installation, with the scope admin."),
        new("tenant-archived", 403, "Tenant is stopped", "restricted_api_key",
            "The key is valid, but its tenant was archived. POST /tenants/{tenant}/restore lets it go on."),
        new("unverified-sender", 403, "Unverified sender", "validation_error",
            "This tenant may send only from domains that were verified for it."),
        new("not-found", 404, "Not found", "not_found",
            "There is no such thing, or it belongs to somebody else: both get the same answer."),
        new("no-such-template", 404, "No such template", "not_found",
            "The tenant has no template of this name, id or number, or no such version of it, or it is archived. See GET /templates."),
        new("no-such-list", 404, "No such list", "not_found", "The tenant has no list with this id. See GET /lists."),
        new("method-not-allowed", 405, "Method not allowed", "method_not_allowed",
            "The address exists, but not for this method. The Allow header lists those it has."),
        new("request-timeout", 408, "Request timeout", "validation_error", "The body came too slowly. Nothing was stored."),
        new("idempotency-mismatch", 409, "Idempotency key used before", "invalid_idempotent_request",
            "The same Idempotency-Key came with another body before. Repeat that request unchanged, or use a new key."),
        new("too-late", 409, "Too late", "validation_error",
            "The message is already under way or has ended, so this can no longer be done to it. GET /emails/{id} tells its state."),
        new("domain-taken", 409, "Domain is another's", "validation_error",
            "The sender domain is verified for another tenant: it belongs to one at a time."),
        new("domain-exists", 409, "Domain exists", "validation_error",
            "The tenant has this sender domain already. POST /domains/{name}/keys makes another key for it."),
        new("template-exists", 409, "Template exists", "validation_error",
            "The tenant has a template of this name already. POST /templates/{template}/versions makes another version of it."),
        new("tenant-exists", 409, "Tenant exists", "validation_error",
            "Another tenant has this name. Names tell tenants apart for people, so each is used once, archived ones included."),
        new("transport-exists", 409, "Transport exists", "validation_error",
            "There is a transport of this name that you see already. PATCH /transports/{name} changes one of your own."),
        new("route-exists", 409, "Route exists", "validation_error",
            "There is a route of this name already. PATCH /routes/{name} changes one of your own."),
        new("transport-in-use", 409, "Transport in use", "validation_error",
            "Routes name the transport. Take it out of them, or remove them, first."),
        new("route-in-use", 409, "Route in use", "validation_error",
            "Mail waits on the route. With ?waiting=default it goes by the default route instead."),
        new("read-only", 409, "Read-only", "validation_error",
            "It is set in the environment or the file of the server, and can be changed there alone."),
        new("too-many", 409, "Too many", "validation_error", "As many are there as may be. Remove one that is not used."),
        new("first-tenant", 409, "The first tenant stays", "validation_error",
            "The first tenant runs the installation and cannot be archived. POST /pause stops its mail."),
        new("schedule-archived", 409, "Schedule is archived", "validation_error",
            "The schedule has ended or was archived, so it does not come again. POST /schedules makes another."),
        new("changed-meanwhile", 409, "Changed meanwhile", "validation_error",
            "Somebody else changed the same thing at the same time. Look at it, and try again."),
        new("list-exists", 409, "List exists", "validation_error", "The tenant has a list of this name already. GET /lists tells its id."),
        new("batch-begun", 409, "Batch begun", "validation_error",
            "The batch was begun, so no destinations can be added to it any more. Make another one."),
        new("batch-ended", 409, "Batch ended", "validation_error", "The batch was cancelled, and nothing more becomes of it."),
        new("too-large", 413, "Too large", "validation_error",
            "The body, an attachment or the message as it would travel is larger than the limit. Nothing was stored."),
        new("uri-too-long", 414, "Address too long", "validation_error", "The request line has more than 8 KB."),
        new("unsupported-media-type", 415, "Unsupported media type", "validation_error",
            "Send application/json in UTF-8 (the batch call also takes application/x-ndjson), plain or compressed by gzip, deflate or br."),
        new("unknown-field", 422, "Unknown field", "validation_error",
            "There is no such member or parameter. It is refused rather than ignored: a misspelt field would change what is sent."),
        new("invalid-field", 422, "Invalid field", "validation_error",
            "A value has the wrong type or is out of its range. errors names each by a JSON pointer."),
        new("bad-csv", 422, "Bad CSV", "validation_error",
            "The CSV cannot be read: it needs a header line with a column of addresses, and as many fields in each line as there."),
        new("bad-encoding", 422, "Bad encoding", "validation_error",
            "A line is not UTF-8. Save the file as UTF-8, or as UTF-16 with a byte-order mark."),
        new("no-recipients", 422, "No recipients", "missing_required_field", "A message needs at least one address in to, cc or bcc."),
        new("too-many-recipients", 422, "Too many recipients", "validation_error",
            "One message takes at most 1,000 recipients. POST /emails/send makes a message for each of many."),
        new("too-many-messages", 422, "Too many messages", "validation_error",
            "One call takes a limited number of messages. Split it, or stream lines as application/x-ndjson."),
        new("invalid-address", 422, "Invalid address", "validation_error",
            "An address is not one that mail can be sent to. errors names each by a JSON pointer."),
        new("header-injection", 422, "Header injection", "validation_error",
            "A value that becomes a header field has a line break or another control character."),
        new("forbidden-header", 422, "Forbidden header", "validation_error",
            "This header field is set by Postrider or by the servers on the way, or its name is not one."),
        new("too-many-headers", 422, "Too many headers", "validation_error",
            "There are too many header fields of your own, or one is too long."),
        new("url-not-allowed", 422, "URL not allowed", "invalid_attachment",
            "A webhook leads to a private or special address, another port than the web's, or is written oddly. "
            + "Attachments are not fetched from URLs at all: send the content in base64."),
        new("invalid-time", 422, "Invalid time", "validation_error",
            "An instant is RFC 3339 with a zone, such as 2027-01-31T09:30:00Z, and at most a year ahead."),
        new("invalid-schedule", 422, "Invalid schedule", "validation_error",
            "The crontab line, a time, the time zone or the span is none, or nothing would ever come of it. errors says what to write instead."),
        new("too-many-schedules", 422, "Too many schedules", "validation_error",
            "The tenant has as many schedules as it may that are not archived (Schedules:MaxSchedules). DELETE /schedules/{id} archives one."),
        new("template-error", 422, "Template has an error", "validation_error",
            "A part of the template cannot be read: a block that is not closed, a helper that does not exist. Line and column are named."),
        new("template-data", 422, "Template data is missing", "validation_error",
            "The template prints a value that the data lacks or has as null. Give it, or set 'strict' of the template to false."),
        new("template-limit", 422, "Template takes too much", "validation_error",
            "Filled in, the template takes more steps, time or depth, or becomes longer, than the section Templates allows."),
        new("no-content", 422, "No content", "missing_required_field", "A message needs a subject, a text or an HTML part."),
        new("invalid-mime", 422, "Invalid message", "validation_error",
            "A message that came whole (MIME) cannot be sent as it is: a damaged header, a NUL, or lines that nothing can shorten."),
        new("invalid-attachment", 422, "Invalid attachment", "invalid_attachment",
            "An attachment lacks its file name or content, or its type or content id is none."),
        new("headers-too-large", 431, "Headers too large", "validation_error",
            "The request has more than 100 header fields, or more than 32 KB of them."),
        new("rate-limited", 429, "Rate limited", "rate_limit_exceeded",
            "The tenant hands over more than it may (Submission:Rate), or calls more often (api_calls_per_minute). Retry-After says when to go on."),
        new("queue-full", 429, "Queue full", "rate_limit_exceeded",
            "The tenant has as many recipients waiting as it may (max_queued, Submission:MaxWaiting). Retry-After says when to try again."),
        new("quota-spent", 429, "Quota spent", "monthly_quota_exceeded",
            "The tenant may send to no more recipients in this day or month (daily_quota, monthly_quota; UTC). Retry-After says when the next begins."),
        new("storage-full", 429, "Tenant's storage is full", "rate_limit_exceeded",
            "As many bytes of messages are stored for the tenant as may be (max_storage_bytes). Room comes when old messages are removed."),
        new("too-many-streams", 429, "Too many streams", "rate_limit_exceeded",
            "A key may have 10 live streams open, and the server 1,000. Close one, or fetch GET /events instead."),
        new("internal-error", 500, "Internal error", "internal_server_error",
            "A fault of the server, logged under the trace id of the answer. Repeat the request with the same Idempotency-Key."),
        new("no-transport", 503, "No transport", "application_error",
            "No transport is configured for the route, so nothing could be delivered. Set POSTRIDER_TRANSPORTS."),
        new("storage-low", 503, "Storage is low", "application_error",
            "The server is short of disk space. Nothing was stored; send it again later."),
        new("storage-unavailable", 503, "Storage is unavailable", "application_error",
            "The server cannot reach its storage. Nothing was stored; send it again later."),
        new("commit-unknown", 503, "Acceptance is unknown", "application_error",
            "The storage did not answer the commit. Repeat the request with the same Idempotency-Key: it is never stored twice."),
        new("draining", 503, "Shutting down", "application_error",
            "The server is shutting down. Nothing was stored; send it again, another node or the next start will take it."),
        new("busy", 503, "Busy", "application_error",
            "Too many large requests are being read at once. Nothing was stored; send it again in a moment."),
    ];

    static readonly FrozenDictionary<string, ProblemKind> BySlug = All.ToFrozenDictionary(k => k.Slug, StringComparer.Ordinal);

    public static ProblemKind? Find(string slug) => BySlug.GetValueOrDefault(slug);

    /// <summary>A problem of a kind in the catalog.</summary>
    public static Problem Make(string slug, string detail, params IReadOnlyList<ProblemError> errors)
    {
        var kind = BySlug[slug];
        return new Problem(slug, kind.Status, kind.Title, detail) { Errors = errors };
    }

    /// <summary>The faults of one request as one problem: the kind is that of the first.</summary>
    public static Problem Of(IReadOnlyList<ProblemError> faults) =>
        Make(faults[0].Slug, faults.Count == 1 ? faults[0].Detail : $"{faults[0].Detail} ({faults.Count} faults in all.)", faults);
}
