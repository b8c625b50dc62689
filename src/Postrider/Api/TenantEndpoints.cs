using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/tenants</c>: those whose mail this installation sends. For administrators of the first tenant, who runs it.</summary>
static class TenantEndpoints
{
    static readonly string[] BodyRefusals =
        ["malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "tenant-exists", "changed-meanwhile"];

    public static void MapTenants(this IEndpointRouteBuilder app)
    {
        app.MapPost("/tenants", AddAsync).For(Access.Installation)
            .Takes<NewTenantShape>().Answers<NewTenantAnswer>(201)
            .Says("addTenant", "Another tenant, with its first key, which has all scopes and is shown here and never again.",
                """{"name":"shop","settings":{"max_queued":100000,"api_calls_per_minute":600,"weight":2}}""", BodyRefusals);
        app.MapGet("/tenants", List).For(Access.Installation).WithMetadata(ListParameters)
            .Answers<TenantListAnswer>(200)
            .Says("listTenants", "The tenants, the archived too, oldest first.", null,
                "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/tenants/{tenant}", Results<JsonHttpResult<TenantAnswer>, ProblemResult> (string tenant, TenantDirectory tenants) =>
                Find(tenants, tenant) is { } found ? ApiJson.Answer(Answer(found)) : ProblemResult.Absent).For(Access.Installation)
            .Answers<TenantAnswer>(200).Says("getTenant", "A tenant with its settings.", null, "not-found");
        app.MapPatch("/tenants/{tenant}", ChangeAsync).For(Access.Installation)
            .Takes<TenantShape>().Answers<TenantAnswer>(200)
            .Says("changeTenant", "Another name, other settings. What is left out stays; null is the installation's default again.",
                """{"settings":{"max_queued":250000,"weight":null}}""", [.. BodyRefusals, "not-found"]);
        app.MapPost("/tenants/{tenant}/archive", (string tenant, HttpContext context, TenantDirectory tenants) =>
                DoAsync(tenants, tenant, id => tenants.ArchiveAsync(id, context.RequestAborted))).For(Access.Installation)
            .Answers<TenantAnswer>(200)
            .Says("archiveTenant", "Stops a tenant: its keys are refused and its mail waits. What it has stays, until it is restored.", null,
                "not-found", "first-tenant", "changed-meanwhile");
        app.MapPost("/tenants/{tenant}/restore", (string tenant, HttpContext context, TenantDirectory tenants) =>
                DoAsync(tenants, tenant, id => tenants.RestoreAsync(id, context.RequestAborted))).For(Access.Installation)
            .Answers<TenantAnswer>(200)
            .Says("restoreTenant", "Lets an archived tenant go on, with its keys and the mail that waited.", null, "not-found",
                "changed-meanwhile");
        app.MapPost("/tenants/{tenant}/keys", AddKeyAsync).For(Access.Installation)
            .Answers<NewKeyAnswer>(201)
            .Says("addTenantKey", "A key with all scopes for a tenant that has lost its own. It is shown here and never again.", null,
                "not-found");
    }

    static readonly DocumentedParameters ListParameters = new(
        [new("limit", "1 to 100. Default 20."), new("after", "The id of the last tenant of the page before.")]);

    static async Task<Results<JsonHttpResult<NewTenantAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, TenantDirectory tenants, ApiKeys keys)
    {
        var body = await bodies.ReadAsync<TenantRequest>(context, TenantReader.Read);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var result = await tenants.AddAsync(request.Name ?? "", request.Settings(TenantSettings.Default), context.RequestAborted);
        if (result.Tenant is not { } tenant)
            return new ProblemResult(result.Problem!);
        var key = await keys.MakeFirstAsync(tenant, CancellationToken.None);
        return ApiJson.Answer(
            new NewTenantAnswer(
                tenant.Id.ToString(), tenant.Name, tenant.CreatedAt, tenant.ArchivedAt, Answer(tenant.Settings), Answer(key)),
            StatusCodes.Status201Created);
    }

    static Results<JsonHttpResult<TenantListAnswer>, ProblemResult> List(HttpContext context, TenantDirectory tenants)
    {
        var query = new ListQuery(context.Request.Query, ListParameters);
        var (limit, after) = (query.Limit(), query.AfterNumber() ?? 0);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var page = tenants.All.Where(tenant => tenant.Id.Value > after).Take(limit + 1).ToList();
        return ApiJson.Answer(new TenantListAnswer([.. page.Take(limit).Select(Answer)], page.Count > limit));
    }

    static async Task<Results<JsonHttpResult<TenantAnswer>, ProblemResult>> ChangeAsync(
        string tenant, HttpContext context, JsonBody bodies, TenantDirectory tenants)
    {
        var body = await bodies.ReadAsync<TenantRequest>(context, TenantReader.Read);
        return body.Value is { } request
            ? await DoAsync(tenants, tenant, id => tenants.ChangeAsync(
                id, now => now with { Name = request.Name ?? now.Name, Settings = request.Settings(now.Settings) }, context.RequestAborted))
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<NewKeyAnswer>, ProblemResult>> AddKeyAsync(
        string tenant, HttpContext context, TenantDirectory tenants, ApiKeys keys) => Find(tenants, tenant) is { } found
            ? ApiJson.Answer(Answer(await keys.MakeFirstAsync(found, context.RequestAborted)), StatusCodes.Status201Created)
            : ProblemResult.Absent;

    static async Task<Results<JsonHttpResult<TenantAnswer>, ProblemResult>> DoAsync(
        TenantDirectory tenants, string text, Func<TenantId, Task<TenantResult>> change)
    {
        if (Find(tenants, text) is not { } tenant)
            return ProblemResult.Absent;
        var result = await change(tenant.Id);
        return result.Tenant is { } changed ? ApiJson.Answer(Answer(changed)) : new ProblemResult(result.Problem!);
    }

    /// <summary>By its id, in the form that we write.</summary>
    static Tenant? Find(TenantDirectory tenants, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? tenants.Find(new TenantId(id)) : null;

    static TenantAnswer Answer(Tenant tenant) =>
        new(tenant.Id.ToString(), tenant.Name, tenant.CreatedAt, tenant.ArchivedAt, Answer(tenant.Settings));

    public static TenantSettingsAnswer Answer(TenantSettings settings) => new()
    {
        OnAmbiguous = settings.OnAmbiguous,
        MaxQueued = settings.MaxQueued,
        ApiCallsPerMinute = settings.ApiCallsPerMinute,
        MaxStorageBytes = settings.MaxStorageBytes,
        Weight = settings.Weight,
        RequireVerifiedSenders = settings.RequireVerifiedSenders,
        DailyQuota = settings.DailyQuota,
        MonthlyQuota = settings.MonthlyQuota,
        Transports = settings.Transports,
        AllowPrivateHosts = settings.AllowPrivateHosts,
        Redrive = settings.RedriveEvery is { } every
            ? new RedriveAnswer(Durations.Format(every), Durations.Format(settings.RedriveFor ?? TenantSettings.DefaultRedriveFor)) : null,
        Tracking = settings.Tracking is { } t ? new TenantTrackingAnswer(t.Transactional, t.Bulk, t.IsStopped) : null,
    };

    static NewKeyAnswer Answer(NewApiKey made) => new(
        made.Key.Id, made.Key.Name, made.Secret, null, null, ScopeNames.Of(made.Key.Scopes), made.Key.CreatedAt, made.Key.ExpiresAt);
}

/// <summary>What a body says of a tenant.</summary>
/// <param name="Name">Null: nothing.</param>
/// <param name="Settings">What becomes of the settings there are.</param>
sealed record TenantRequest(string? Name, Func<TenantSettings, TenantSettings> Settings);

/// <summary>Reads the bodies of the calls about tenants.</summary>
static class TenantReader
{
    public static TenantRequest? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? name = null;
        List<Func<TenantSettings, TenantSettings>> changes = [];
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "name": name = faults.Text(member.Value, "/name"); break;
                    case "settings": changes.AddRange(Settings(member.Value, faults)); break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new TenantRequest(name, now => changes.Aggregate(now, (settings, change) => change(settings))) : null;
    }

    static List<Func<TenantSettings, TenantSettings>> Settings(JsonElement settings, ShapeFaults faults)
    {
        var changes = new List<Func<TenantSettings, TenantSettings>>();
        if (faults.IsObject(settings, "/settings"))
            foreach (var member in settings.EnumerateObject())
            {
                var pointer = ShapeFaults.Below("/settings", member.Name);
                if (Setting(member.Name, member.Value, pointer, faults) is { } change)
                    changes.Add(change);
            }
        return changes;
    }

    static Func<TenantSettings, TenantSettings>? Setting(string name, JsonElement value, string pointer, ShapeFaults faults)
    {
        switch (name)
        {
            case "on_ambiguous":
                var policy = Policy(value, pointer, faults);
                return now => now with { OnAmbiguous = policy };
            case "max_queued":
                var queued = Number(value, pointer, faults);
                return now => now with { MaxQueued = queued };
            case "api_calls_per_minute":
                var calls = (int?)Number(value, pointer, faults, int.MaxValue);
                return now => now with { ApiCallsPerMinute = calls };
            case "max_storage_bytes":
                var bytes = Number(value, pointer, faults);
                return now => now with { MaxStorageBytes = bytes };
            case "weight":
                var weight = (int?)Number(value, pointer, faults, TenantSettings.MaxWeight, least: 1);
                return now => now with { Weight = weight };
            case "require_verified_senders":
                var verified = Flag(value, pointer, faults);
                return now => now with { RequireVerifiedSenders = verified };
            case "daily_quota":
                var daily = Number(value, pointer, faults);
                return now => now with { DailyQuota = daily };
            case "monthly_quota":
                var monthly = Number(value, pointer, faults);
                return now => now with { MonthlyQuota = monthly };
            case "transports":
                var transports = Names(value, pointer, faults);
                return now => now with { Transports = transports };
            case "allow_private_hosts":
                var mayLeadInside = Flag(value, pointer, faults);
                return now => now with { AllowPrivateHosts = mayLeadInside };
            case "redrive":
                return Redrive(value, pointer, faults);
            case "tracking":
                var tracking = TrackReader.Tenant(value, pointer, faults);
                return now => now with { Tracking = tracking };
            default:
                faults.Unknown(pointer);
                return null;
        }
    }

    /// <summary><c>{"every", "for"}</c>, or null for none.</summary>
    static Func<TenantSettings, TenantSettings> Redrive(JsonElement value, string pointer, ShapeFaults faults)
    {
        TimeSpan? every = null;
        TimeSpan? span = null;
        if (faults.IsObject(value, pointer))
        {
            foreach (var member in value.EnumerateObject())
                switch (member.Name)
                {
                    case "every": every = Span(member.Value, $"{pointer}/every", faults); break;
                    case "for": span = Span(member.Value, $"{pointer}/for", faults); break;
                    default: faults.Unknown(ShapeFaults.Below(pointer, member.Name)); break;
                }
            if (every is null && !faults.Any)
                faults.Invalid($"{pointer}/every", "Say how long a letter rests before it is sent again, such as \"15m\".");
        }
        return now => now with { RedriveEvery = every, RedriveFor = every is null ? null : span ?? TenantSettings.DefaultRedriveFor };
    }

    static TimeSpan? Span(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (faults.Text(value, pointer) is not { } text)
            return null;
        if (Durations.TryParse(text, out var span))
            return span;
        faults.Invalid(pointer, $"Must be {Durations.Form}.");
        return null;
    }

    static long? Number(JsonElement value, string pointer, ShapeFaults faults, long most = long.MaxValue, long least = 0)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most)
            return number;
        faults.Invalid(pointer, most == long.MaxValue ? "Must be a whole number, 0 for no limit, or null for the installation's default."
            : $"Must be a whole number from {least} to {most:N0}, or null for the default.");
        return null;
    }

    static List<string>? Names(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (!faults.IsArray(value, pointer))
            return null;
        var names = new List<string>();
        foreach (var (index, item) in value.EnumerateArray().Index())
            if (faults.Text(item, ShapeFaults.Below(pointer, index)) is { } name)
                names.Add(name);
        return names;
    }

    static bool? Flag(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.ValueKind == JsonValueKind.True;
        if (value.ValueKind != JsonValueKind.Null)
            faults.Invalid(pointer, "Must be true, false, or null for the installation's default.");
        return null;
    }

    static AmbiguityPolicy? Policy(JsonElement value, string pointer, ShapeFaults faults)
    {
        switch (faults.Text(value, pointer))
        {
            case null: return null;
            case "retry": return AmbiguityPolicy.Retry;
            case "hold": return AmbiguityPolicy.Hold;
            default:
                faults.Invalid(pointer, "Must be retry, hold, or null for the installation's default.");
                return null;
        }
    }
}

/// <summary>Answer to <c>GET /tenants</c>.</summary>
sealed record TenantListAnswer(IReadOnlyList<TenantAnswer> Data, bool HasMore);

/// <summary>A tenant.</summary>
/// <param name="ArchivedAt">Since when it is stopped; null: it is not.</param>
sealed record TenantAnswer(string Id, string Name, DateTimeOffset CreatedAt, DateTimeOffset? ArchivedAt, TenantSettingsAnswer Settings);

/// <summary>Answer to <c>POST /tenants</c>.</summary>
/// <param name="Key">With its secret, which is shown here and never again.</param>
sealed record NewTenantAnswer(
    string Id, string Name, DateTimeOffset CreatedAt, DateTimeOffset? ArchivedAt, TenantSettingsAnswer Settings, NewKeyAnswer Key);

/// <summary>What holds for a tenant; null: as the installation has it.</summary>
sealed record TenantSettingsAnswer
{
    public required AmbiguityPolicy? OnAmbiguous { get; init; }
    public required long? MaxQueued { get; init; }
    public required int? ApiCallsPerMinute { get; init; }
    public required long? MaxStorageBytes { get; init; }
    public required int? Weight { get; init; }
    public required bool? RequireVerifiedSenders { get; init; }
    public required long? DailyQuota { get; init; }
    public required long? MonthlyQuota { get; init; }

    /// <summary>Those of the installation that it may use; null: all.</summary>
    public required IReadOnlyList<string>? Transports { get; init; }
    public required bool? AllowPrivateHosts { get; init; }

    /// <summary>Null: dead letters wait for somebody.</summary>
    public required RedriveAnswer? Redrive { get; init; }

    /// <summary>Null: nothing is tracked where the message does not say.</summary>
    public required TenantTrackingAnswer? Tracking { get; init; }
}

/// <summary>What is tracked of a tenant's mail.</summary>
/// <param name="Stopped">Nothing is, whatever messages say, and links of mail that was sent lead nowhere.</param>
sealed record TenantTrackingAnswer(Tracked Transactional, Tracked Bulk, bool Stopped);

/// <summary>What sends dead letters again by itself.</summary>
sealed record RedriveAnswer(string Every, string For);
