using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Schedules;

namespace Postrider.Dashboard.Screens;

/// <summary>Messages, searched by what the API takes too.</summary>
sealed partial class MessageList
{
    readonly HashSet<string> _picked = new(StringComparer.Ordinal);
    IReadOnlyList<string> _transports = [];
    MessageFilter _filter = new();
    MessageId? _typedId;

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    ScheduleBook Schedules { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    EmailShapes Emails { get; set; } = null!;

    private protected override void Ask(IQueryCollection query)
    {
        var search = MessageSearch.Read(query, Viewer.Zone);
        _typedId = search.Id;
        var filter = search.Filter;
        if (filter != _filter)
            _picked.Clear();
        (_filter, Unread) = (filter, search.Problem);
        // One that was removed is still what old mail went by.
        _transports =
            [.. Router.Of(Viewer.Tenant).Transports.Select(transport => transport.Name).Union(filter.Transport is { } old ? [old] : [])];
    }

    /// <summary>An id in the box at the top leads to what has it.</summary>
    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (_typedId is not { } id)
            return;
        var screen = await Messages.GetBatchAsync(Viewer.Tenant, id, ct) is not null ? "batches"
            : await Schedules.FindAsync(Viewer.Tenant, id, ct) is not null ? "schedules" : "messages";
        Pages.NavigateTo($"{screen}/{id}", replace: true);
    }

    void Pick(string id, ChangeEventArgs change)
    {
        if (change.Value is true)
            _picked.Add(id);
        else
            _picked.Remove(id);
    }

    async Task<ListPage<EmailAnswer>> LoadAsync(string? from, CancellationToken ct)
    {
        var page = await Messages.ListAsync(Viewer.Tenant, _filter with { Before = ListPage.Id(from), Limit = ListPage.Size }, ct);
        return new ListPage<EmailAnswer>([.. page.Messages.Select(Emails.Short)], page.ContinueBefore?.ToString());
    }
}
