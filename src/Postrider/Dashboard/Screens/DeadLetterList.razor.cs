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
    const int ShownJobs = 10;

    IReadOnlyList<DeadCause> _causes = [];
    IReadOnlyList<(RedriveJob Job, long? Left)> _jobs = [];
    RedriveAnswer? _policyNow;
    RedriveAnswer? _policyShown;             // that _every and _for were made of
    string _every = "";
    string _for = "";
    Problem? _policyProblem;

    [Inject]
    TenantDirectory Tenants { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(3);

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

    Task<bool> OrderAsync(RedriveAction action, DeadCause cause) =>
        PlaceAsync(action, new JsonObject { ["filter"] = cause.ToFilter() }, cause.Count);

    Task<bool> StopAsync(RedriveJob job)
    {
        var id = job.Id.ToString(CultureInfo.InvariantCulture);
        return DoAsync(Scopes.Manage, "POST /dead-letters/jobs/{job}/cancel", $"/dead-letters/jobs/{id}/cancel", async by =>
        {
            await Letters.CancelJobAsync(by.Tenant, job.Id, Clock.GetUtcNow());
            return null;
        }, "Stopped. What it has done stays done.");
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
        var tenant = Viewer.Tenant;
        _policyProblem = await TryAsync(TenantList.Installation, "PATCH /tenants/{tenant}", $"/tenants/{tenant}", async by =>
            TenantReader.Read(body.ToBody(), out var unread) is { } request
                ? (await Tenants.ChangeAsync(tenant, now => now with { Settings = request.Settings(now.Settings) }, Viewer.Ended)).Problem
                : unread, "Stored.");
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

/// <summary>Shows dead letters, and takes orders about them.</summary>
public abstract class DeadLetterPart : ListPart
{
    [Inject]
    private protected IDeadLetterStore Letters { get; set; } = null!;

    [Inject]
    private protected DeadLetterOrders Orders { get; set; } = null!;

    /// <summary>How fast what is ordered here is worked off.</summary>
    private protected int PerSecond { get; set; } = Redriver.PolicyPerSecond;

    /// <param name="body">As the API takes it.</param>
    /// <param name="count">Letters that it means.</param>
    private protected Task<bool> PlaceAsync(RedriveAction action, JsonObject body, long count)
    {
        body["per_second"] = PerSecond;
        var path = $"/dead-letters/{ApiJson.Word(action)}";
        return DoAsync(Scopes.Manage, $"POST {path}", path, async by =>
        {
            if (DeadLetterReader.Order(body.ToBody(), out var unread) is not { } order)
                return unread;
            await Orders.PlaceAsync(by, action, order);
            return null;
        }, $"{LetterWords.Count(count)} will be {(action == RedriveAction.Redrive ? "sent again" : "discarded")}. That goes on without this page.");
    }
}
