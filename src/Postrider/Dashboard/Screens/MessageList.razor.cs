using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Dashboard.Screens;

/// <summary>Messages, searched by what the API takes too.</summary>
sealed partial class MessageList
{
    readonly HashSet<string> _picked = new(StringComparer.Ordinal);
    IReadOnlyList<string> _transports = [];
    MessageFilter _filter = new();
    bool _isFiltered;
    Problem? _problem;

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var search = MessageSearch.Read(QueryHelpers.ParseQuery(new Uri(Pages.Uri).Query));
        if (search.Message is { } message)
            Pages.NavigateTo($"messages/{message}");
        var filter = search.Filter;
        if (filter != _filter)
            _picked.Clear();
        (_filter, _problem, _isFiltered) = (filter, search.Problem, search.IsFiltered);
        // One that was removed is still what old mail went by.
        _transports =
            [.. Router.Of(Viewer.Tenant).Transports.Select(transport => transport.Name).Union(filter.Transport is { } old ? [old] : [])];
    }

    static string? Written(DateTimeOffset? at) => at is { } instant ? Times.Iso(instant) : null;

    void Pick(string id, ChangeEventArgs change)
    {
        if (change.Value is true)
            _picked.Add(id);
        else
            _picked.Remove(id);
    }

    async Task<ListPage<EmailAnswer>> LoadAsync(string? from, CancellationToken ct)
    {
        MessageId? before = from is not null && MessageId.TryParse(from, out var id) ? id : null;
        var page = await Messages.ListAsync(
            Viewer.Tenant, _filter with { Before = before, Limit = LiveList<EmailAnswer>.PageSize }, ct);
        var shapes = Services.GetRequiredService<EmailShapes>();
        return new ListPage<EmailAnswer>([.. page.Messages.Select(shapes.Short)], page.ContinueBefore?.ToString());
    }
}
