using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Who changed what, searched by what the API takes too.</summary>
sealed partial class AuditList
{
    AuditFilter _filter = new();

    [Inject]
    IAuditStore Audit { get; set; } = null!;

    private protected override void Ask(IQueryCollection query)
    {
        var asked = new ListQuery(query, AuditEndpoints.Parameters);
        (_filter, Unread) = (AuditEndpoints.Filter(asked), asked.Problem);
    }

    async Task<ListPage<AuditEntry>> LoadAsync(string? from, CancellationToken ct)
    {
        long? before = from is null ? null : long.Parse(from, CultureInfo.InvariantCulture);
        var found = await Audit.ListAsync(Viewer.Tenant, _filter, before, ListPage.Wanted, ct);
        return ListPage.Of(found, entry => entry.Id.ToString(CultureInfo.InvariantCulture));
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
