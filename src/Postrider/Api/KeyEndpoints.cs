using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>The calls about credentials: tokens and API keys.</summary>
static class KeyEndpoints
{
    public static void MapKeys(this IEndpointRouteBuilder app)
    {
        app.MapPost("/tokens", MakeTokenAsync).For(Access.Known)
            .Takes<TokenShape>().Answers<TokenAnswer>(201)
            .Says("makeToken", "A short-lived token for the API key presented; it dies with the key.",
                """{"expires_in":"15m","scopes":["send"]}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field");
        app.MapGet("/tokens", CheckTokenAsync).For(Access.Open)
            .Answers<TokenStatusAnswer>(200)
                .Says("checkToken", "Whether the credential presented is valid, and why not.", null, "storage-unavailable");
        app.MapPost("/keys", MakeKeyAsync).For(Access.Admin)
            .Takes<KeyShape>().Answers<NewKeyAnswer>(201)
            .Says("makeKey", "A new API key. Its secret is shown here and never again.", """{"name":"shop","scopes":["send","read"]}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "invalid-time");
        app.MapGet("/keys", ListKeysAsync).For(Access.Admin)
            .Answers<KeyListAnswer>(200).Says("listKeys", "The API keys, newest first, the revoked and expired too.");
        app.MapDelete("/keys/{id}", RevokeKeyAsync).For(Access.Admin)
            .Says("revokeKey", "Ends a key, and with it every token made for it, within a second on all nodes.", null, "not-found");
    }

    static async Task<Results<JsonHttpResult<TokenAnswer>, ProblemResult>> MakeTokenAsync(
        HttpContext context, JsonBody bodies, Tokens tokens)
    {
        // Everything in it is optional, so it may be left out.
        var body = await bodies.ReadOptionalAsync(context, CredentialReader.Token, new TokenRequest(null, null));
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var made = tokens.Make(context.Caller, request.ExpiresIn, request.Scopes);
        return made.Token is { } token
            ? ApiJson.Answer(new TokenAnswer(token.Token, token.ExpiresAt, ScopeNames.Of(token.Scopes)), StatusCodes.Status201Created)
            : new ProblemResult(made.Problem!);
    }

    static async Task<JsonHttpResult<TokenStatusAnswer>> CheckTokenAsync(HttpContext context, Authenticator authenticator)
    {
        var status = await authenticator.StatusAsync(context.BearerText);
        return ApiJson.Answer(
            new TokenStatusAnswer(status.Valid, status.ExpiresAt, status.Tenant?.ToString(), ScopeNames.Of(status.Scopes), status.Reason));
    }

    static async Task<Results<JsonHttpResult<NewKeyAnswer>, ProblemResult>> MakeKeyAsync(
        HttpContext context, JsonBody bodies, ApiKeys keys, CancellationToken ct)
    {
        var body = await bodies.ReadAsync<KeyRequest>(context, CredentialReader.Key);
        if (body.Value is null)
            return new ProblemResult(body.Problem!);
        var made = await keys.MakeAsync(context.Caller, body.Value, ct);
        if (made.Key is not { Key: var key, Secret: var secret })
            return new ProblemResult(made.Problem!);
        var isBearer = key.Kind == KeyKind.Bearer;
        return ApiJson.Answer(
            new NewKeyAnswer(
                key.Id, key.Name, isBearer ? secret : null, isBearer ? null : key.Id, isBearer ? null : secret, ScopeNames.Of(key.Scopes),
                key.CreatedAt, key.ExpiresAt),
            StatusCodes.Status201Created);
    }

    static async Task<Results<NoContent, ProblemResult>> RevokeKeyAsync(
        string id, HttpContext context, ApiKeys keys, CancellationToken ct) =>
        await keys.RevokeAsync(context.Caller.Tenant, id, ct) ? TypedResults.NoContent() : ProblemResult.Absent;

    static async Task<JsonHttpResult<KeyListAnswer>> ListKeysAsync(HttpContext context, ApiKeys keys, CancellationToken ct)
    {
        var all = await keys.ListAsync(context.Caller.Tenant, ct);
        return ApiJson.Answer(
            new KeyListAnswer([.. all.Select(k => new KeyAnswer(
                k.Id, k.Name, k.Kind == KeyKind.Bearer ? "bearer" : "sigv4", ScopeNames.Of(k.Scopes), k.CreatedAt, k.ExpiresAt, k.RevokedAt,
                k.LastUsedAt))]));
    }
}

/// <summary>What <c>POST /tokens</c> asks for; null means the default.</summary>
sealed record TokenRequest(TimeSpan? ExpiresIn, Scopes? Scopes);

/// <summary>Reads the bodies of the calls about credentials.</summary>
static class CredentialReader
{
    /// <summary><c>{"expires_in", "scopes"}</c>.</summary>
    public static TokenRequest? Token(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new TokenRequest(null, null);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                request = member.Name switch
                {
                    "expires_in" => request with { ExpiresIn = Span(member.Value, faults) },
                    "scopes" => request with { Scopes = ScopeList(member.Value, faults) },
                    _ => Unknown(request, member, faults),
                };
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    /// <summary><c>{"name", "kind", "scopes", "expires_at"}</c>.</summary>
    public static KeyRequest? Key(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new KeyRequest("", KeyKind.Bearer, Scopes.None, null);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                request = member.Name switch
                {
                    "name" => request with { Name = faults.Text(member.Value, "/name") ?? "" },
                    "kind" => request with { Kind = Kind(member.Value, faults) },
                    "scopes" => request with { Scopes = ScopeList(member.Value, faults) ?? Scopes.None },
                    "expires_at" => request with { ExpiresAt = Instant(member.Value, faults) },
                    _ => Unknown(request, member, faults),
                };
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static T Unknown<T>(T request, JsonProperty member, ShapeFaults faults)
    {
        faults.Unknown(ShapeFaults.Below("", member.Name));
        return request;
    }

    /// <summary>A whole number of seconds, or a text such as <c>15m</c>.</summary>
    static TimeSpan? Span(JsonElement value, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var seconds) && value.GetRawText() is not ['-', '0', ..])
            return TimeSpan.FromSeconds(seconds);
        if (value.ValueKind == JsonValueKind.String && value.GetString() is [.., 's' or 'm' or 'h' or 'd'] text
            && TimeText.TryParseSpan(text, out var span))
            return span;
        faults.Invalid("/expires_in", "Must be a whole number of seconds, or a text such as \"15m\".");
        return null;
    }

    static Scopes? ScopeList(JsonElement value, ShapeFaults faults)
    {
        if (!faults.IsArray(value, "/scopes"))
            return null;
        var scopes = Scopes.None;
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            var pointer = ShapeFaults.Below("/scopes", index++);
            if (item.ValueKind == JsonValueKind.String && ScopeNames.TryParse(item.GetString(), out var scope))
                scopes |= scope;
            else
                faults.Invalid(pointer, "Must be one of send, read, manage, admin.");
        }
        return scopes;
    }

    static KeyKind Kind(JsonElement value, ShapeFaults faults)
    {
        switch (value.ValueKind == JsonValueKind.Null ? "bearer" : faults.Text(value, "/kind"))
        {
            case "bearer": return KeyKind.Bearer;
            case "sigv4": return KeyKind.SigV4;
            case null: return KeyKind.Bearer;
            default:
                faults.Invalid("/kind", "Must be bearer or sigv4.");
                return KeyKind.Bearer;
        }
    }

    static DateTimeOffset? Instant(JsonElement value, ShapeFaults faults)
    {
        if (faults.Text(value, "/expires_at") is not { } text)
            return null;
        if (TimeText.TryParseInstant(text, out var at))
            return at;
        faults.Add("/expires_at", "invalid-time", "Must be an instant with a zone, such as 2027-01-31T09:30:00Z.");
        return null;
    }
}
