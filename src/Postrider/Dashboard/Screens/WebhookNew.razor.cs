using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Parts;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Screens;

/// <summary>Makes an endpoint; its secret is shown once.</summary>
sealed partial class WebhookNew
{
    readonly WebhookDraft _draft = new();
    Webhook? _made;
    string? _secret;

    [Inject]
    WebhookBook Book { get; set; } = null!;

    async Task MakeAsync()
    {
        var request = _draft.ToRequest(out var problem);
        Refused = problem;
        if (request is null)
            return;
        await DoAsync(Scopes.Manage, "POST /webhooks", "/webhooks", async by =>
        {
            var result = await Book.AddAsync(by.Tenant, request, CancellationToken.None);
            (_made, _secret) = (result.Webhook, result.Secret);
            return result.Problem;
        });
    }
}
