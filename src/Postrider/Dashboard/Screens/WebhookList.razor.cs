using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Webhooks;

namespace Postrider.Dashboard.Screens;

/// <summary>Endpoints to which events are sent.</summary>
sealed partial class WebhookList
{
    const string Example = """{"url":"https://example.com/hooks","events":["email.delivered","email.bounced"]}""";

    IReadOnlyList<WebhookAnswer> _webhooks = [];

    [Inject]
    WebhookBook Book { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct) =>
        _webhooks = [.. (await Book.ListAsync(Viewer.Tenant, ct)).Select(webhook => WebhookEndpoints.Answer(webhook, Book))];

    /// <summary>A word for it: failing is active still, and more worth knowing.</summary>
    internal static string StateOf(WebhookAnswer webhook) => webhook switch
    {
        { Enabled: false } => "disabled",
        { Fault: not null } or { FailingSince: not null } => "failing",
        _ => "active",
    };
}
