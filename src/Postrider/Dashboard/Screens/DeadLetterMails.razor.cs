using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.DeadLetters;
using Postrider.Messages;

namespace Postrider.Dashboard.Screens;

/// <summary>Dead letters one by one, and orders for one, some, or all that are like those.</summary>
sealed partial class DeadLetterMails
{
    readonly HashSet<RecipientId> _chosen = [];
    readonly HashSet<RecipientId> _ordered = [];
    DeadLetterFilter _filter = new();
    int _version;
    int _perSecond = Redriver.PolicyPerSecond;
    RedriveJob? _running;
    Problem? _unread;
    Problem? _problem;
    string? _done;

    [Inject]
    IDeadLetterStore Letters { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(1);

    protected override Task OnParametersSetAsync()
    {
        var asked = QueryHelpers.ParseQuery(new Uri(Pages.Uri).Query).Where(p => p.Value.ToString().Trim().Length > 0)
            .ToDictionary(p => p.Key, p => p.Value);
        var query = new ListQuery(new QueryCollection(asked), new DocumentedParameters(DeadLetterEndpoints.FilterParameters));
        (_filter, _unread) = (DeadLetterReader.Query(query), query.Problem);
        _chosen.Clear();
        return base.OnParametersSetAsync();
    }

    /// <summary>The rows follow by themselves; when a job has ended, what it took is gone from them.</summary>
    protected override async Task ReadAsync(CancellationToken ct)
    {
        var newest = await Letters.ListJobsAsync(Viewer.Tenant, null, 1, ct);
        var running = newest is [{ State: RedriveState.Running } job] ? job : null;
        if (running is null && _ordered.Count > 0)
        {
            _ordered.Clear();
            _version++;
        }
        _running = running;
    }

    async Task<ListPage<DeadLetter>> LoadAsync(string? from, CancellationToken ct)
    {
        RecipientId? before = from is not null && RecipientId.TryParse(from, out var id) ? id : null;
        var found = await Letters.ListAsync(Viewer.Tenant, _filter, before, LiveList<DeadLetter>.PageSize + 1, ct);
        var rows = found.Take(LiveList<DeadLetter>.PageSize).ToList();
        return new ListPage<DeadLetter>(rows, found.Count > rows.Count ? rows[^1].Id.ToString() : null);
    }

    void Choose(RecipientId id)
    {
        if (!_chosen.Remove(id))
            _chosen.Add(id);
    }

    async Task OrderChosenAsync(RedriveAction action)
    {
        await OrderAsync(action, [.. _chosen]);
        if (_problem is null)
            _chosen.Clear();
    }

    async Task OrderAsync(RedriveAction action, IReadOnlyList<RecipientId> ids)
    {
        await PlaceAsync(action, new JsonObject { ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id.ToString())]) }, ids.Count);
        if (_problem is null)
            _ordered.UnionWith(ids);
    }

    async Task OrderAllAsync(RedriveAction action)
    {
        var count = (await Letters.GroupsAsync(Viewer.Tenant, _filter, Viewer.Ended)).Sum(group => group.Count);
        var filter = new JsonObject().With("status", _filter.State is { } state ? ApiJson.Word(state) : null)
            .With("reason", _filter.Reason).With("transport", _filter.Transport)
            .With("transient", _filter.Transient is { } transient ? transient ? "true" : "false" : null)
            .With("from", _filter.From is { } from ? Times.Iso(from) : null)
            .With("until", _filter.Until is { } until ? Times.Iso(until) : null);
        await PlaceAsync(action, filter.Count > 0 ? new JsonObject { ["filter"] = filter } : new JsonObject { ["all"] = true }, count);
        _version++;
    }

    async Task PlaceAsync(RedriveAction action, JsonObject body, long count)
    {
        body["per_second"] = _perSecond;
        _problem = await DeadLetterOrdering.PlaceAsync(Actions, Services.GetRequiredService<DeadLetterOrders>(), action, body);
        _done = _problem is null ? DeadLetterOrdering.Done(action, count) : null;
        await LookAsync();
    }
}
