using System.ComponentModel;

namespace Postrider.Api;

// What OpenAPI shows of the bodies that SendReader and CredentialReader read by hand. Never instantiated; a test sends every member.

/// <summary>An address: "Name &lt;ann@example.com&gt;", or an object of email and name.</summary>
sealed record AddressShape;

/// <summary>One address, or a list of them.</summary>
sealed record AddressesShape;

/// <summary>Header fields of your own: an object of texts, or a list of name and value where a name repeats.</summary>
sealed record HeadersShape;

/// <summary>A tag: a text, or Resend's name and value, which becomes "name:value".</summary>
sealed record TagShape;

/// <summary>A whole number of seconds, or a text with a unit: "90m", "24h", "2d".</summary>
sealed record SpanShape;

/// <summary>An option's value: a text or a number; null takes it away.</summary>
sealed record OptionValueShape;

/// <summary>A template by its id, name or number; or an object of id, version and variables.</summary>
sealed record TemplateUseShape;

/// <summary>An attachment.</summary>
sealed record AttachmentShape(
    [property: Description("The name it is saved under.")] string Filename,
    [property: Description("The file in base64 (RFC 4648 section 4).")] string Content,
    [property: Description("Media type; guessed from the name when left out.")] string? ContentType,
    [property: Description("The x of cid:x in the HTML.")] string? ContentId,
    [property: Description("attachment or inline; inline when it has a content id.")] string? Disposition);

/// <summary>What every send call takes.</summary>
record MessageShape
{
    [Description("The sender.")]
    public required AddressShape From { get; init; }
    [Description("Where answers go.")]
    public AddressesShape? ReplyTo { get; init; }
    [Description("Where a template gives one too, this one is taken.")]
    public string? Subject { get; init; }
    [Description("A stored template that gives subject, text and html.")]
    public TemplateUseShape? Template { get; init; }
    [Description("What the template is filled in with.")]
    public System.Text.Json.Nodes.JsonObject? Data { get; init; }
    [Description("The body as plain text. Text, html or both.")]
    public string? Text { get; init; }
    [Description("The body as HTML.")]
    public string? Html { get; init; }
    public HeadersShape? Headers { get; init; }
    public IReadOnlyList<AttachmentShape>? Attachments { get; init; }
    [Description("For searching: at most 50, each with at most 128 characters.")]
    public IReadOnlyList<TagShape>? Tags { get; init; }
    [Description("Names and texts of your own, for searching and for your own use; at most 50.")]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
    [Description("When to send, with a zone (RFC 3339), at most a year ahead; a time that is past is now.")]
    public DateTimeOffset? SendAt { get; init; }
    [Description("Another name for send_at.")]
    public DateTimeOffset? ScheduledAt { get; init; }
    [Description("How long it may wait from send_at on. Default 24h.")]
    public SpanShape? ExpiresIn { get; init; }
    [Description("transactional goes ahead of bulk. Default: transactional, and bulk for /emails/send and streams of lines.")]
    public string? Stream { get; init; }
    [Description("A route by name; otherwise the rules choose.")]
    public string? Route { get; init; }
    [Description("retry (at least once, the default) or hold (at most once): what to do with an attempt that may have been accepted.")]
    public string? OnAmbiguous { get; init; }
    [Description("Messages with the same key are sent one after the other, in the order they were accepted.")]
    public string? OrderingKey { get; init; }
    [Description("Opens and clicks to be learned, over the tenant's setting for the stream. Default: none. true says opens and clicks, false none.")]
    public TrackShape? Track { get; init; }
}

/// <summary>Body of <c>POST /emails</c>, and one element or line of <c>POST /emails/batch</c>.</summary>
sealed record EmailShape : MessageShape
{
    [Description("At least one address in to, cc or bcc; at most 1,000 together.")]
    public AddressesShape? To { get; init; }
    public AddressesShape? Cc { get; init; }
    [Description("Never shown to anybody.")]
    public AddressesShape? Bcc { get; init; }
}

/// <summary>Body of <c>POST /emails/send</c>.</summary>
sealed record DestinationsShape : MessageShape
{
    [Description("Each gets a message of its own; at most 10,000.")]
    public IReadOnlyList<DestinationShape>? Destinations { get; init; }

    [Description("In place of destinations: the id of a stored list.")]
    public string? List { get; init; }

    [Description("Another name for text.")]
    [System.Text.Json.Serialization.JsonPropertyName("plainContent")]
    public string? PlainContent { get; init; }
}

/// <summary>One destination: an address, or an object of email, name, and data that goes into the template over the call's.</summary>
sealed record DestinationShape;

/// <summary>Body of <c>POST /batches</c>.</summary>
sealed record BatchShape : MessageShape
{
    [Description("A stored list: sent to its recipients as they are now. Left out, destinations follow by POST /batches/{id}/destinations.")]
    public string? List { get; init; }
}

/// <summary>Body of <c>POST /lists</c> and <c>PATCH /lists/{id}</c>.</summary>
sealed record ListShape([property: Description("1 to 100 characters, once for each tenant.")] string Name);

/// <summary>Body of <c>POST /templates/{template}/versions</c>; at least one of subject, text and html.</summary>
record TemplateShape
{
    [Description("Handlebars, as text and html.")]
    public string? Subject { get; init; }
    [Description("Left out, it is made of the HTML.")]
    public string? Text { get; init; }
    public string? Html { get; init; }
    [Description("Whether printing a value that is missing refuses the message. Default: yes, but in calls to the APIs of other vendors than SES.")]
    public bool? Strict { get; init; }
    [Description("Whether values in three braces, which are not escaped, may stand in the HTML. Default false.")]
    public bool? AllowRawHtml { get; init; }
    [Description("For previews.")]
    public System.Text.Json.Nodes.JsonObject? TestData { get; init; }
}

/// <summary>Body of <c>POST /templates</c>.</summary>
sealed record NewTemplateShape : TemplateShape
{
    [Description("1 to 100 letters, digits, '-', '_' or '.'.")]
    public required string Name { get; init; }
}

/// <summary>Body of <c>POST /templates/preview</c>.</summary>
sealed record PreviewShape : TemplateShape
{
    [Description("Filled in. Default: the test data.")]
    public System.Text.Json.Nodes.JsonObject? Data { get; init; }
}

/// <summary>Body of <c>POST /templates/{template}/render</c>; may be left out.</summary>
sealed record RenderShape(int? Version, System.Text.Json.Nodes.JsonObject? Data);

/// <summary>Body of <c>PATCH /emails/{id}</c>; one of the two.</summary>
sealed record RescheduleShape(DateTimeOffset? SendAt, DateTimeOffset? ScheduledAt);

/// <summary>Body of <c>POST /tokens</c>; may be left out.</summary>
sealed record TokenShape(
    [property: Description("1 second to 24 hours. Default 1h.")] SpanShape? ExpiresIn,
    [property: Description("Any of send, read, manage, admin. Default: all that the key has.")] IReadOnlyList<string>? Scopes);

/// <summary>Body of <c>POST /keys</c>.</summary>
sealed record KeyShape(
    string Name,
    [property: Description("bearer (default) or sigv4.")] string? Kind,
    [property: Description("Any of send, read, manage, admin.")] IReadOnlyList<string> Scopes,
    [property: Description("Default: never.")] DateTimeOffset? ExpiresAt);

/// <summary>Body of <c>PATCH /tenants/{tenant}</c>.</summary>
sealed record TenantShape(string? Name, TenantSettingsShape? Settings);

/// <summary>Body of <c>POST /tenants</c>.</summary>
sealed record NewTenantShape(
    [property: Description("1 to 100 characters; no other tenant has it.")] string Name, TenantSettingsShape? Settings);

/// <summary>What holds for a tenant; null or left out: as the installation has it.</summary>
sealed record TenantSettingsShape
{
    [Description("retry or hold: an attempt that may have been accepted, where neither message nor route says.")]
    public string? OnAmbiguous { get; init; }
    [Description("Recipients that may wait, scheduled ones included; beyond it 429 queue-full. 0: no limit.")]
    public long? MaxQueued { get; init; }
    [Description("Calls in a minute, on each node; beyond it 429 rate-limited. 0: no limit.")]
    public int? ApiCallsPerMinute { get; init; }
    [Description("Bytes of stored messages, lists and destinations; beyond it 429 storage-full. 0: no limit.")]
    public long? MaxStorageBytes { get; init; }
    [Description("1 to 1,000: the tenant's share beside others with mail waiting. Default 1.")]
    public int? Weight { get; init; }
    [Description("Whether its mail may come only from domains verified for it.")]
    public bool? RequireVerifiedSenders { get; init; }
    [Description("Recipients in a day (UTC). 0: no limit.")]
    public long? DailyQuota { get; init; }
    [Description("Recipients in a month (UTC). 0: no limit.")]
    public long? MonthlyQuota { get; init; }
    [Description("Names of the installation's transports that its mail may go by. Null: all.")]
    public IReadOnlyList<string>? Transports { get; init; }
    [Description("Whether transports of its own may lead to private addresses. Default false; the first tenant's may.")]
    public bool? AllowPrivateHosts { get; init; }
    [Description("Sends dead letters again by itself where what they died of may be over by now. Null: none.")]
    public RedriveShape? Redrive { get; init; }
    [Description("What is tracked where the message does not say. Null: nothing.")]
    public TenantTrackingShape? Tracking { get; init; }
}

/// <summary>What is tracked of a tenant's mail.</summary>
sealed record TenantTrackingShape(
    TrackShape? Transactional, TrackShape? Bulk,
    [property: Description("true: nothing is tracked whatever messages say, and links of mail that was sent lead nowhere.")] bool? Stopped);

/// <summary>What is to be learned of a message after it has arrived.</summary>
sealed record TrackShape(
    [property: Description("That its HTML was shown, by an image in it.")] bool? Opens,
    [property: Description("That a link in its HTML was followed, by links that lead over this server.")] bool? Clicks,
    [property: Description("The same of the links in its text, whose readers see where they lead.")] bool? Text);

/// <summary>When dead letters are sent again by themselves.</summary>
sealed record RedriveShape(
    [property: Description("How long a letter rests before: 1m to 7d.")] string Every,
    [property: Description("For how long after it first died, at most 30d. Default 24h.")] string? For);

/// <summary>Body of <c>POST /dead-letters/redrive</c> and <c>/discard</c>: exactly one of ids, filter and all.</summary>
sealed record DeadLetterOrderShape(
    [property: Description("At most 1,000 ids of GET /dead-letters.")] IReadOnlyList<string>? Ids,
    [property: Description("Those of this kind, as in GET /dead-letters.")] DeadLetterFilterShape? Filter,
    [property: Description("true: every one there is.")] bool? All,
    [property: Description("Letters in a second, 1 to 10,000. Default 100.")] int? PerSecond);

/// <summary>Which dead letters; what is left out does not filter.</summary>
sealed record DeadLetterFilterShape(
    [property: Description("failed, expired or held.")] string? Status, string? Reason, string? Transport,
    [property: Description("true: what they died of may be over by now.")] bool? Transient,
    [property: Description("On the list since this instant or later.")] DateTimeOffset? From,
    [property: Description("On the list since before this instant.")] DateTimeOffset? Until);

/// <summary>Body of <c>POST /pause</c>; without stream and route everything of the tenant is paused.</summary>
sealed record PauseShape(
    [property: Description("transactional or bulk.")] string? Stream, string? Route,
    [property: Description("Shown to people.")] string? Reason);

/// <summary>Body of <c>POST /transports/{name}/drill</c>.</summary>
sealed record DrillShape(
    [property: Description("Share of the tries that fail, above 0. Default: 1, all of them.")] double? Fail,
    [property: Description("How long, from 1s to 1h, such as 10m.")] string For);

/// <summary>Body of <c>POST /suppressions</c>.</summary>
sealed record SuppressionShape(
    string Email,
    [property: Description("transactional or bulk. Default: all mail.")] string? Stream,
    [property: Description("Shown to people.")] string? Reason,
    [property: Description("bounced, complained, unsubscribed or manual. Default: manual.")] string? Cause,
    [property: Description("From then on it is mailed again. Default: never.")] DateTimeOffset? ExpiresAt);

/// <summary>Body of <c>POST /domains</c>.</summary>
sealed record DomainShape(
    string Name,
    [property: Description("Names the key in the DNS. Default: a random one.")] string? Selector,
    [property: Description("Sign and verify names below it too. Default: false.")] bool? Subdomains);

/// <summary>Body of <c>POST /domains/{name}/keys</c>; may be left out.</summary>
sealed record DomainKeyShape([property: Description("Names the key in the DNS. Default: a random one.")] string? Selector);

/// <summary>A refusal (RFC 9457). Under /emails it has the members that Resend's SDKs read, too.</summary>
sealed record ProblemShape(
    [property: Description("Where it is explained: /problems/{slug}.")] string Type,
    string Title, int Status, string Detail,
    [property: Description("Every fault, where there are several or where a place can be named.")] IReadOnlyList<ProblemErrorShape>? Errors,
    [property: Description("With 500 only: find it in the server's log.")] string? TraceId);

/// <summary>One fault.</summary>
sealed record ProblemErrorShape(
    [property: Description("RFC 6901 JSON pointer; empty for the whole.")] string Pointer, string Slug, string Detail);

/// <summary>Body of <c>PATCH /webhooks/{id}</c>.</summary>
record WebhookShape
{
    [Description("https, on port 443 (or http, 80). Private addresses are refused.")]
    public string? Url { get; init; }
    public string? Description { get; init; }
    [Description("Names of events, or email.*. Empty: all.")]
    public IReadOnlyList<string>? Events { get; init; }
    [Description("Header fields of your own, such as Authorization; they are never shown again. Replaces all that were there.")]
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
    public bool? Enabled { get; init; }
    [Description("Go on from now, and leave out what happened while it was disabled. Not when it is made.")]
    public bool? SkipMissed { get; init; }
}

/// <summary>Body of <c>POST /webhooks</c>; url is needed.</summary>
sealed record NewWebhookShape : WebhookShape
{
    [Description("whsec_ and 24 to 64 bytes in base64. Left out, one is made.")]
    public string? Secret { get; init; }
}

/// <summary>Body of <c>POST /webhooks/{id}/rotate</c>; may be left out.</summary>
sealed record WebhookSecretShape([property: Description("whsec_ and 24 to 64 bytes in base64. Left out, one is made.")] string? Secret);

/// <summary>Body of <c>POST /webhooks/{id}/redeliver</c>.</summary>
sealed record RedeliverShape(
    DateTimeOffset From, [property: Description("Default: now.")] DateTimeOffset? Until,
    [property: Description("failed (the default), delivered or all.")] string? State);
