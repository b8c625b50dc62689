using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Parts;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Calls that were refused or failed, for whoever wrote the program that makes them; searched by what the API takes too.</summary>
sealed partial class RequestList
{
    static readonly string[] Fields = ["key", "call", "status"];

    IReadOnlyDictionary<string, string> _asked = new Dictionary<string, string>();
    ListQuery? _query;
    RefusedCallFilter _filter = new([]);

    [Inject]
    IRefusedCallStore Calls { get; set; } = null!;

    [Inject]
    ApiKeys Keys { get; set; } = null!;

    private protected override void Ask(IQueryCollection query)
    {
        _asked = Fields.Where(query.ContainsKey).ToDictionary(field => field, field => query[field].ToString().Trim());
        _query = new ListQuery(query, RequestEndpoints.Parameters);
    }

    /// <summary>Whose key is meant is stored.</summary>
    protected override async Task ReadAsync(CancellationToken ct)
    {
        _filter = await RequestEndpoints.FilterAsync(_query!, Viewer.Tenant, Keys, ct);
        Unread = _query!.Problem;
    }

    async Task<ListPage<RefusedCall>> LoadAsync(string? from, CancellationToken ct)
    {
        long? before = from is null ? null : long.Parse(from, CultureInfo.InvariantCulture);
        var found = await Calls.ListAsync(Viewer.Tenant, _filter, before, ListPage.Wanted, ct);
        return ListPage.Of(found, call => call.Id.ToString(CultureInfo.InvariantCulture));
    }
}
