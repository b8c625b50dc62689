using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>API keys of the tenant: made, shown once, revoked.</summary>
sealed partial class KeyList
{
    const string Example = """{"name":"shop","scopes":["send","read"]}""";

    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The key is not there any more.");

    static readonly (Scopes Scope, string Title)[] ScopeTitles =
    [
        (Scopes.Send, "send: hand over mail"), (Scopes.Read, "read: messages, events, states"),
        (Scopes.Manage, "manage: retry, pause, templates, suppressions, webhooks, dead letters, the tenant's own transports and routes"),
        (Scopes.Admin, "admin: keys, users, the audit log, erasures; of the first tenant also tenants, nodes, and the transports that all share"),
    ];

    IReadOnlyList<ApiKey> _keys = [];
    string _name = "";
    Scopes _scopes = Scopes.Send | Scopes.Read;
    KeyKind _kind;
    DateTime? _expires;
    NewApiKey? _made;

    [Inject]
    ApiKeys Keys { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct) => _keys = await Keys.ListAsync(Viewer.Tenant, ct);

    string StateOf(ApiKey key) => key.RevokedAt is not null ? "revoked" : key.IsUsableAt(Clock.GetUtcNow()) ? "active" : "ended";

    void Choose(Scopes scope, bool isWanted) => _scopes = isWanted ? _scopes | scope : _scopes & ~scope;

    async Task MakeAsync()
    {
        _made = null;
        DateTimeOffset? ends = _expires is { } local ? Times.At(local, Viewer.Zone) : null;
        await DoAsync(Scopes.Admin, "POST /keys", "/keys", async by =>
        {
            var made = await Keys.MakeAsync(by, new KeyRequest(_name.Trim(), _kind, _scopes, ends), CancellationToken.None);
            _made = made.Key;
            return made.Problem;
        });
        if (_made is not null)
            _name = "";
    }

    Task<bool> RevokeAsync(ApiKey key)
    {
        _made = null;
        return DoAsync(Scopes.Admin, "DELETE /keys/{id}", $"/keys/{key.Id}",
            async by => await Keys.RevokeAsync(by.Tenant, key.Id, CancellationToken.None) ? null : Gone,
            $"{key.Name} is revoked: within a second every node refuses it, and the tokens made for it.");
    }
}
