using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>What a user may do about himself.</summary>
sealed partial class Account
{
    IReadOnlyList<Session> _sessions = [];
    string _old = "";
    string _new = "";
    Problem? _unchanged;    // the password

    [Inject]
    Sessions Sessions { get; set; } = null!;

    [Inject]
    LiveSessions Live { get; set; } = null!;

    [Inject]
    Users Users { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(10);

    protected override async Task ReadAsync(CancellationToken ct) => _sessions = await Sessions.ListAsync(Viewer.User.Id, ct);

    async Task EndAsync(Session session)
    {
        await DoAsync(Scopes.Read, "DELETE /ui/sessions/{id}", "/ui/sessions", async _ =>
        {
            await Sessions.EndAsync(session.Id);
            return null;
        });
        Live.End(session.Id);
    }

    async Task ChangeAsync()
    {
        _unchanged = await TryAsync(Scopes.Read, "POST /ui/password", "/ui/password", async _ =>
            (await Users.ChangePasswordAsync(Viewer.User, _old, _new, Viewer.Address ?? "", CancellationToken.None)).Problem);
        (_old, _new) = ("", "");
        if (_unchanged is null)
            Pages.NavigateTo("", forceLoad: true);
    }
}
