using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Who changed what, searched by what the API takes too.</summary>
sealed partial class AuditList
{
    AuditFilter _filter = new();
    bool _isFiltered;
    Problem? _unread;

    [Inject]
    IAuditStore Audit { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override void OnParametersSet()
    {
        var asked = QueryHelpers.ParseQuery(new Uri(Pages.Uri).Query).Where(p => p.Value.ToString().Trim().Length > 0)
            .ToDictionary(p => p.Key, p => p.Value);
        _isFiltered = asked.Count > 0;
        var query = new ListQuery(new QueryCollection(asked), AuditEndpoints.Parameters);
        (_filter, _unread) = (AuditEndpoints.Filter(query), query.Problem);
    }

    async Task<ListPage<AuditEntry>> LoadAsync(string? from, CancellationToken ct)
    {
        long? before = from is null ? null : long.Parse(from, CultureInfo.InvariantCulture);
        var found = await Audit.ListAsync(Viewer.Tenant, _filter, before, LiveList<AuditEntry>.PageSize + 1, ct);
        var rows = found.Take(LiveList<AuditEntry>.PageSize).ToList();
        return new ListPage<AuditEntry>(rows, found.Count > rows.Count ? rows[^1].Id.ToString(CultureInfo.InvariantCulture) : null);
    }
}

/// <summary>What came of a call, in a word.</summary>
static class AuditWords
{
    public static string Outcome(int status) => status switch
    {
        < 400 => "done",
        401 or 403 => "denied",
        < 500 => "not_done",
        _ => "failed",
    };
}
