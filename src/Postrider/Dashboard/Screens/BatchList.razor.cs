using Microsoft.AspNetCore.Components;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;

namespace Postrider.Dashboard.Screens;

/// <summary>Batches, large and small; one is found by its id.</summary>
sealed partial class BatchList
{
    string _asked = "";     // what was typed and is no id

    [SupplyParameterFromQuery(Name = "id")]
    string? Id { get; set; }

    [Inject]
    IBatchStore Batches { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    NavigationManager Pages { get; set; } = null!;

    protected override void OnParametersSet()
    {
        _asked = Id?.Trim() ?? "";
        if (MessageId.TryParse(_asked, out var id))
            Pages.NavigateTo($"batches/{id}");
    }

    async Task<ListPage<BatchSummary>> LoadAsync(string? from, CancellationToken ct)
    {
        MessageId? before = from is not null && MessageId.TryParse(from, out var id) ? id : null;
        var found = await Batches.ListAsync(Viewer.Tenant, before, LiveList<BatchSummary>.PageSize + 1, ct);
        var rows = found.Take(LiveList<BatchSummary>.PageSize).ToList();
        return new ListPage<BatchSummary>(rows, found.Count > rows.Count ? rows[^1].Id.ToString() : null);
    }
}
