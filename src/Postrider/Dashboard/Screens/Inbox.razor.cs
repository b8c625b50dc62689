using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Providers.Capture;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Mail that did not leave.</summary>
sealed partial class Inbox
{
    int _version;
    bool _hasCapture;
    Problem? _problem;

    [Inject]
    IInbox Mails { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    protected override void OnInitialized() => _hasCapture = Router.Of(Viewer.Tenant).Transports.Any(t => t.Options.Scheme == "capture");

    async Task<ListPage<CapturedMail>> LoadAsync(string? from, CancellationToken ct)
    {
        long? before = from is null ? null : long.Parse(from, CultureInfo.InvariantCulture);
        var mails = await Mails.ListAsync(
            Viewer.Tenant, new InboxFilter { Before = before, Limit = LiveList<CapturedMail>.PageSize + 1 }, ct);
        var rows = mails.Take(LiveList<CapturedMail>.PageSize).ToList();
        return new ListPage<CapturedMail>(rows, mails.Count > rows.Count ? rows[^1].Id.ToString(CultureInfo.InvariantCulture) : null);
    }

    async Task ClearAsync()
    {
        _problem = await Actions.DoAsync(new NeedsAttribute(Scopes.Manage), "DELETE /inbox", "/inbox", async by =>
        {
            await Mails.ClearAsync(by.Tenant, CancellationToken.None);
            return null;
        });
        _version++;
    }
}
