using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Mail.Dkim;
using Postrider.Messages;
using Postrider.Senders;

namespace Postrider.Api;

/// <summary><c>/domains</c>: what the tenant sends from, its DKIM keys, and what the DNS says of them.</summary>
static class DomainEndpoints
{
    public static void MapDomains(this IEndpointRouteBuilder app)
    {
        app.MapPost("/domains", AddAsync).For(Access.Manage)
            .Takes<DomainShape>().Answers<DomainAnswer>(201)
            .Says("addDomain", "Writes down a domain to send from and makes its DKIM key. Publish the record of the answer, then check.",
                """{"name":"mail.example.com","subdomains":false}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "domain-exists");
        app.MapGet("/domains", (HttpContext context, SenderDomains domains) =>
                ApiJson.Answer(new DomainListAnswer([.. domains.List(context.Caller.Tenant).Select(Answer)]))).For(Access.Read)
            .Answers<DomainListAnswer>(200).Says("listDomains", "The domains to send from, by name.");
        app.MapGet("/domains/{name}", Find).For(Access.Read)
            .Answers<DomainAnswer>(200)
            .Says("getDomain", "A domain, its keys with the records to publish, and what the DNS said when last asked.", null, "not-found");
        app.MapDelete("/domains/{name}", RemoveAsync).For(Access.Manage)
            .Says("removeDomain", "Forgets a domain and its keys: its mail is no longer signed.", null, "not-found");
        app.MapPost("/domains/{name}/check", async (string name, HttpContext context, SenderDomains domains) =>
                Result(await domains.CheckAsync(context.Caller.Tenant, name, context.RequestAborted))).For(Access.Manage)
            .Answers<DomainAnswer>(200)
            .Says("checkDomain", "Asks the DNS now. A key whose record is there signs from then on, and verifies the domain.", null,
                "not-found", "domain-taken", "changed-meanwhile");
        app.MapPost("/domains/{name}/keys", AddKeyAsync).For(Access.Manage)
            .Takes<DomainKeyShape>().Answers<DomainAnswer>(201)
            .Says("addDomainKey", "Makes another DKIM key. The one before it signs until a check has seen the new one's record.",
                """{"selector":"s2027"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "not-found", "changed-meanwhile");
        app.MapPost("/domains/{name}/keys/{selector}/activate", ActivateAsync).For(Access.Manage)
            .Answers<DomainAnswer>(200)
            .Says("activateDomainKey", "Lets a key sign now, its record seen or not. It does not verify the domain.", null, "not-found",
                "changed-meanwhile");
        app.MapDelete("/domains/{name}/keys/{selector}", RemoveKeyAsync).For(Access.Manage)
            .Answers<DomainAnswer>(200)
            .Says("removeDomainKey", "Forgets a key. Leave its record published for some days: mail it signed may still be on its way.",
                null, "not-found", "changed-meanwhile");
    }

    static async Task<Results<JsonHttpResult<DomainAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, SenderDomains domains)
    {
        var body = await bodies.ReadAsync<DomainRequest>(context, ReadDomain);
        return body.Value is { } request
            ? Result(await domains.AddAsync(
                context.Caller.Tenant, request.Name, request.Selector, request.Subdomains, context.RequestAborted), 201)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<DomainAnswer>, ProblemResult>> AddKeyAsync(
        string name, HttpContext context, JsonBody bodies, SenderDomains domains)
    {
        // Its one member is optional.
        var body = await bodies.ReadOptionalAsync(context, ReadKey, new DomainRequest(name, null, false));
        return body.Value is { } request
            ? Result(await domains.AddKeyAsync(context.Caller.Tenant, name, request.Selector, context.RequestAborted), 201)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<DomainAnswer>, ProblemResult>> ActivateAsync(
        string name, string selector, HttpContext context, SenderDomains domains) =>
        Result(await domains.ActivateAsync(context.Caller.Tenant, name, selector, context.RequestAborted));

    static async Task<Results<JsonHttpResult<DomainAnswer>, ProblemResult>> RemoveKeyAsync(
        string name, string selector, HttpContext context, SenderDomains domains) =>
        Result(await domains.RemoveKeyAsync(context.Caller.Tenant, name, selector, context.RequestAborted));

    static Results<JsonHttpResult<DomainAnswer>, ProblemResult> Find(string name, HttpContext context, SenderDomains domains) =>
        domains.Find(context.Caller.Tenant, name) is { } domain ? ApiJson.Answer(Answer(domain)) : ProblemResult.Absent;

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(string name, HttpContext context, SenderDomains domains) =>
        await domains.RemoveAsync(context.Caller.Tenant, name, context.RequestAborted) ? TypedResults.NoContent() : ProblemResult.Absent;

    static Results<JsonHttpResult<DomainAnswer>, ProblemResult> Result(DomainResult result, int status = 200) =>
        result.Domain is { } domain ? ApiJson.Answer(Answer(domain), status) : new ProblemResult(result.Problem!);

    static DomainAnswer Answer(SenderDomain domain) => new()
    {
        Name = domain.Name,
        Verified = domain.VerifiedAt is not null,
        VerifiedAt = domain.VerifiedAt,
        Subdomains = domain.Subdomains,
        CreatedAt = domain.CreatedAt,
        SigningSelector = domain.Signing?.Selector,
        Keys = [.. domain.Keys.Select(key => Answer(domain, key))],
        CheckedAt = domain.Checks?.At,
        Checks =
        [
            .. (domain.Checks?.Items ?? []).Select(check => new DomainCheckAnswer(check.Kind, check.Name, check.State, check.Detail)),
        ],
    };

    static DomainKeyAnswer Answer(SenderDomain domain, SenderKey key)
    {
        var text = DkimRecord.Text(key.PublicKey.Span);
        return new DomainKeyAnswer(key.Selector, key.CreatedAt, key.ActiveAt,
            new DnsRecordAnswer("TXT", DkimRecord.Name(key.Selector, domain.Name), text, DkimRecord.Strings(text)));
    }

    static DomainRequest? ReadDomain(JsonElement body, out Problem? problem) => Read(body, isKey: false, out problem);

    static DomainRequest? ReadKey(JsonElement body, out Problem? problem) => Read(body, isKey: true, out problem);

    static DomainRequest? Read(JsonElement body, bool isKey, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new DomainRequest("", null, false);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "name" when !isKey: request = request with { Name = faults.Text(member.Value, "/name") ?? "" }; break;
                    case "selector": request = request with { Selector = faults.Text(member.Value, "/selector") }; break;
                    case "subdomains" when !isKey: request = request with { Subdomains = Flag(member.Value, faults) }; break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static bool Flag(JsonElement value, ShapeFaults faults)
    {
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null))
            faults.Invalid("/subdomains", "Must be true or false.");
        return value.ValueKind == JsonValueKind.True;
    }

    /// <summary>What the calls that make keys take.</summary>
    sealed record DomainRequest(string Name, string? Selector, bool Subdomains);
}

/// <summary>Answer to <c>GET /domains</c>.</summary>
sealed record DomainListAnswer(IReadOnlyList<DomainAnswer> Data);

/// <summary>A domain to send from.</summary>
sealed record DomainAnswer
{
    public required string Name { get; init; }

    /// <summary>The DNS has shown that it is the tenant's.</summary>
    public required bool Verified { get; init; }
    public required DateTimeOffset? VerifiedAt { get; init; }
    public required bool Subdomains { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The key that signs; null: mail is not signed.</summary>
    public required string? SigningSelector { get; init; }
    public required IReadOnlyList<DomainKeyAnswer> Keys { get; init; }

    /// <summary>Null: the DNS was not asked yet.</summary>
    public required DateTimeOffset? CheckedAt { get; init; }
    public required IReadOnlyList<DomainCheckAnswer> Checks { get; init; }
}

/// <summary>A DKIM key; <c>active_at</c> is null while its record was not seen.</summary>
sealed record DomainKeyAnswer(string Selector, DateTimeOffset CreatedAt, DateTimeOffset? ActiveAt, DnsRecordAnswer Record);

/// <summary>A record to publish: its value whole, and in the strings of at most 255 that a zone file wants.</summary>
sealed record DnsRecordAnswer(string Type, string Name, string Value, IReadOnlyList<string> Strings);

/// <summary>One look at the DNS.</summary>
sealed record DomainCheckAnswer(DnsCheckKind Kind, string Name, DnsCheckState State, string Detail);
