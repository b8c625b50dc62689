using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>How the transports are doing, and one more of them.</summary>
sealed partial class TransportList
{
    IReadOnlyList<TransportAnswer> _transports = [];
    TransportDraft _draft = new();
    Problem? _unadded;

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct) => _transports = await ShapesAsync(Table.Transports, ct);

    bool MayUse(TransportAnswer transport) =>
        Viewer.May(Scopes.Manage) && RoutingChanges.MayNotUse(Viewer.Principal, Router, transport.Name) is null;

    Task<bool> SwitchAsync(TransportAnswer transport)
    {
        var (name, isPaused) = (transport.Name, !transport.Paused);
        var verb = isPaused ? "pause" : "resume";
        return DoAsync(Scopes.Manage, $"POST /transports/{{name}}/{verb}", $"/transports/{name}/{verb}",
            by => Changes.PauseTransportAsync(by, name, isPaused),
            isPaused ? $"{name} is paused: what is under way ends, nothing new begins." : $"{name} takes mail again.");
    }

    async Task AddAsync()
    {
        var body = new JsonObject().With("name", _draft.Name).With("dsn", _draft.ToDsn());
        if (_draft.IsShared)
            body["shared"] = true;
        _unadded = await TryAsync(Scopes.Manage, "POST /transports", "/transports", async by =>
        {
            if (TransportReader.ReadNew(body.ToBody(), out var unread) is not { } request)
                return unread;
            var added = await Changes.AddTransportAsync(by, request);
            Told = $"{_draft.Name.Trim()} is in force on all nodes. {added.Note}";
            return added.Problem;
        });
        if (_unadded is null)
            _draft = new TransportDraft();
    }
}
