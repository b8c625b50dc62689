using System.Text.Json.Nodes;
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
    RedriveJob? _running;

    protected override TimeSpan Every => TimeSpan.FromSeconds(1);

    private protected override void Ask(IQueryCollection query)
    {
        var asked = new ListQuery(query, new DocumentedParameters(DeadLetterEndpoints.FilterParameters));
        (_filter, Unread) = (DeadLetterReader.Query(asked), asked.Problem);
        _chosen.Clear();
    }

    /// <summary>The rows follow by themselves; when a job has ended, what it took is gone from them.</summary>
    protected override async Task ReadAsync(CancellationToken ct)
    {
        var newest = await Letters.ListJobsAsync(Viewer.Tenant, null, 1, ct);
        var running = newest is [{ State: RedriveState.Running } job] ? job : null;
        if (running is null && _ordered.Count > 0)
        {
            _ordered.Clear();
            Version++;
        }
        _running = running;
    }

    async Task<ListPage<DeadLetter>> LoadAsync(string? from, CancellationToken ct)
    {
        RecipientId? before = from is not null && RecipientId.TryParse(from, out var id) ? id : null;
        return ListPage.Of(await Letters.ListAsync(Viewer.Tenant, _filter, before, ListPage.Wanted, ct), letter => letter.Id.ToString());
    }

    void Choose(RecipientId id)
    {
        if (!_chosen.Remove(id))
            _chosen.Add(id);
    }

    async Task OrderChosenAsync(RedriveAction action)
    {
        if (await OrderAsync(action, [.. _chosen]))
            _chosen.Clear();
    }

    async Task<bool> OrderAsync(RedriveAction action, IReadOnlyList<RecipientId> ids)
    {
        var body = new JsonObject { ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id.ToString())]) };
        if (!await PlaceAsync(action, body, ids.Count))
            return false;
        _ordered.UnionWith(ids);
        return true;
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
        Version++;
    }
}
