using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>What died of what, and having it sent again or discarded.</summary>
sealed partial class DeadLetterList
{
    static readonly NeedsAttribute Manage = new(Scopes.Manage);
    const int ShownJobs = 10;

    IReadOnlyList<DeadCause> _causes = [];
    IReadOnlyList<(RedriveJob Job, long? Left)> _jobs = [];
    int _perSecond = Redriver.PolicyPerSecond;
    RedriveAnswer? _policyNow;
    RedriveAnswer? _policyShown;             // that _every and _for were made of
    string _every = "";
    string _for = "";
    Problem? _problem;
    Problem? _policyProblem;
    string? _done;

    [Inject]
    IDeadLetterStore Letters { get; set; } = null!;

    [Inject]
    TenantDirectory Tenants { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        var groups = await Letters.GroupsAsync(Viewer.Tenant, new DeadLetterFilter(), ct);
        _causes = DeadCause.Of(groups);
        var jobs = new List<(RedriveJob, long?)>();
        foreach (var job in await Letters.ListJobsAsync(Viewer.Tenant, null, ShownJobs, ct))
            jobs.Add((job, job.State == RedriveState.Running
                ? (await Letters.GroupsAsync(Viewer.Tenant, job.Scope, ct)).Sum(group => group.Count) : null));
        _jobs = jobs;
        _policyNow = TenantEndpoints.Answer(Tenants.SettingsOf(Viewer.Tenant)).Redrive;
        if (_policyNow != _policyShown)
            (_policyShown, _every, _for) = (_policyNow, _policyNow?.Every ?? "", _policyNow?.For ?? "");
    }

    async Task OrderAsync(RedriveAction action, DeadCause cause)
    {
        var body = new JsonObject { ["filter"] = cause.ToFilter(), ["per_second"] = _perSecond };
        _problem = await DeadLetterOrdering.PlaceAsync(Actions, Services.GetRequiredService<DeadLetterOrders>(), action, body);
        _done = _problem is null ? DeadLetterOrdering.Done(action, cause.Count) : null;
        await LookAsync();
    }

    async Task StopAsync(RedriveJob job)
    {
        var id = job.Id.ToString(CultureInfo.InvariantCulture);
        _problem = await Actions.DoAsync(Manage, "POST /dead-letters/jobs/{job}/cancel", $"/dead-letters/jobs/{id}/cancel", async by =>
        {
            await Letters.CancelJobAsync(by.Tenant, job.Id, Clock.GetUtcNow());
            return null;
        });
        _done = _problem is null ? "Stopped. What it has done stays done." : null;
        await LookAsync();
    }

    async Task SavePolicyAsync()
    {
        var body = new JsonObject
        {
            ["settings"] = new JsonObject
            {
                ["redrive"] = _every.Trim().Length == 0 ? null : new JsonObject().With("every", _every).With("for", _for),
            },
        };
        var needs = new NeedsAttribute(Scopes.Admin) { Installation = true };
        var tenant = Viewer.Tenant;
        _policyProblem = await Actions.DoAsync(needs, "PATCH /tenants/{tenant}", $"/tenants/{tenant}", async by =>
            TenantReader.Read(body.ToBody(), out var unread) is { } request
                ? (await Tenants.ChangeAsync(tenant, now => now with { Settings = request.Settings(now.Settings) }, Viewer.Ended)).Problem
                : unread);
        _done = _policyProblem is null ? "Stored." : null;
        await LookAsync();
    }
}

/// <summary>Letters that an order can mean: of one state, reason and transport.</summary>
/// <param name="Codes">The replies, the most frequent first.</param>
/// <param name="IsWhole">A filter can mean exactly these.</param>
sealed record DeadCause(
    RecipientState State, string Reason, string? Transport, bool IsTransient, long Count, string Codes, DateTimeOffset LastAt,
    DateTimeOffset? LastAttemptAt, bool IsWhole)
{
    public string Name => $"{State} {Reason} {Transport}";

    public string Address => $"dead-letters/mails?status={ApiJson.Word(State)}&reason={Uri.EscapeDataString(Reason)}"
        + (Transport is null ? "" : $"&transport={Uri.EscapeDataString(Transport)}");

    public JsonObject ToFilter() =>
        new JsonObject().With("status", ApiJson.Word(State)).With("reason", Reason).With("transport", Transport);

    public static IReadOnlyList<DeadCause> Of(IReadOnlyList<DeadLetterGroup> groups) =>
    [
        .. groups.GroupBy(group => (group.State, group.Reason, group.Transport)).Select(same => new DeadCause(
            same.Key.State, same.Key.Reason, same.Key.Transport, same.Any(group => group.IsTransient), same.Sum(group => group.Count),
            string.Join(", ", same.OrderByDescending(group => group.Count).Where(group => group.Code is > 0)
                .Select(group => $"{group.Code} {group.EnhancedCode}".Trim()).Distinct().Take(3)),
            same.Max(group => group.LastAt), same.Max(group => group.LastAttemptAt),
            // No filter says "no transport".
            same.Key.Transport is not null
                || groups.All(group => (group.State, group.Reason) != (same.Key.State, same.Key.Reason) || group.Transport is null)))
            .OrderByDescending(cause => cause.Count).ThenBy(cause => cause.Name, StringComparer.Ordinal),
    ];
}

/// <summary>How a job is told.</summary>
static class JobWords
{
    public static string Scope(RedriveJob job) => job.Filter switch
    {
        { Ids: { } ids } => LetterWords.Count(ids.Count),
        { State: null, Reason: null, Transport: null } => "",
        var filter => string.Join(", ", new[]
        {
            filter.State is { } state ? ApiJson.Word(state) : null, filter.Reason is { } reason ? LetterWords.Reason(reason) : null,
            filter.Transport,
        }.OfType<string>()),
    };
}

/// <summary>Orders about dead letters, from wherever they are looked at.</summary>
static class DeadLetterOrdering
{
    public static Task<Problem?> PlaceAsync(ScreenActions actions, DeadLetterOrders orders, RedriveAction action, JsonObject body)
    {
        var path = $"/dead-letters/{ApiJson.Word(action)}";
        return actions.DoAsync(new NeedsAttribute(Scopes.Manage), $"POST {path}", path, async by =>
        {
            if (DeadLetterReader.Order(body.ToBody(), out var unread) is not { } order)
                return unread;
            await orders.PlaceAsync(by, action, order);
            return null;
        });
    }

    public static string Done(RedriveAction action, long count) => action == RedriveAction.Redrive
        ? $"{LetterWords.Count(count)} will be sent again. That goes on without this page."
        : $"{LetterWords.Count(count)} will be discarded. That goes on without this page.";
}
