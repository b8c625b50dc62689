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

    [Inject]
    IBatchStore Batches { get; set; } = null!;

    private protected override void Ask(IQueryCollection query)
    {
        _asked = query["id"].ToString().Trim();
        if (MessageId.TryParse(_asked, out var id))
            Pages.NavigateTo($"batches/{id}");
    }

    async Task<ListPage<BatchSummary>> LoadAsync(string? from, CancellationToken ct) => ListPage.Of(
        await Batches.ListAsync(Viewer.Tenant, ListPage.Id(from), ListPage.Wanted, ct), batch => batch.Id.ToString());
}
