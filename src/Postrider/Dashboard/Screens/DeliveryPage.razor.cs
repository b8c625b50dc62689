using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Screens;

/// <summary>An event on its way to an endpoint: what is sent, and what was answered.</summary>
sealed partial class DeliveryPage
{
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found",
        "There is nothing to be sent again: the delivery waits for its next try, or is not there any more.");

    DeliveryAnswer? _delivery;
    Webhook? _webhook;
    string _request = "";

    [Parameter]
    public string Id { get; set; } = "";

    [Parameter]
    public string Delivery { get; set; } = "";

    [Inject]
    WebhookBook Book { get; set; } = null!;

    [Inject]
    IWebhookStore Store { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _webhook = await Book.FindAsync(Viewer.Tenant, Id, ct);
        var found = _webhook is null ? null : await Store.FindDeliveryAsync(Viewer.Tenant, Id, Delivery, ct);
        _delivery = found is null ? null : WebhookEndpoints.Answer(found, withRequest: true);
        _request = _delivery?.Request is { } request ? TypedJson.Pretty(request) : "";
    }

    Task<bool> AgainAsync() => DoAsync(Scopes.Manage, "POST /webhooks/{id}/deliveries/{delivery}/redeliver",
        $"/webhooks/{Id}/deliveries/{Delivery}/redeliver", async by =>
            await Book.AgainAsync(by.Tenant, Id, Delivery, CancellationToken.None) switch
            {
                { Problem: { } problem } => problem,
                { Count: > 0 } => null,
                _ => Gone,
            }, "Queued: it goes again, under the same webhook-id.");
}
