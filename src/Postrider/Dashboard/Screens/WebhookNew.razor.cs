using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Screens;

/// <summary>Makes an endpoint; its secret is shown once.</summary>
sealed partial class WebhookNew
{
    readonly WebhookDraft _draft = new();
    WebhookFields _fields = null!;
    Webhook? _made;
    string? _secret;
    Problem? _problem;

    [Inject]
    WebhookBook Book { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    async Task MakeAsync()
    {
        await _fields.ReadAsync();
        if (_draft.ToRequest(out _problem) is not { } request)
            return;
        _problem = await Actions.DoAsync(new NeedsAttribute(Scopes.Manage), "POST /webhooks", "/webhooks", async by =>
        {
            var result = await Book.AddAsync(by.Tenant, request, CancellationToken.None);
            (_made, _secret) = (result.Webhook, result.Secret);
            return result.Problem;
        });
    }
}
