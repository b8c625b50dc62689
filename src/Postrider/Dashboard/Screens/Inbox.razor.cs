using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Providers.Capture;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Mail that did not leave.</summary>
sealed partial class Inbox
{
    bool _hasCapture;

    [Inject]
    IInbox Mails { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    protected override void OnInitialized() => _hasCapture = Router.Of(Viewer.Tenant).Transports.Any(t => t.Options.Scheme == "capture");

    async Task<ListPage<CapturedMail>> LoadAsync(string? from, CancellationToken ct)
    {
        long? before = from is null ? null : long.Parse(from, CultureInfo.InvariantCulture);
        var found = await Mails.ListAsync(Viewer.Tenant, new InboxFilter { Before = before, Limit = ListPage.Wanted }, ct);
        return ListPage.Of(found, mail => mail.Id.ToString(CultureInfo.InvariantCulture));
    }

    async Task ClearAsync()
    {
        await DoAsync(Scopes.Manage, "DELETE /inbox", "/inbox", async by =>
        {
            await Mails.ClearAsync(by.Tenant, CancellationToken.None);
            return null;
        });
        Version++;
    }
}
