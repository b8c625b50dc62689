using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>How the transports are doing, and one more of them.</summary>
sealed partial class TransportList
{
    static readonly NeedsAttribute Manage = new(Scopes.Manage);

    IReadOnlyList<TransportAnswer> _transports = [];
    TransportDraft _draft = new();
    Problem? _problem;
    Problem? _refused;
    string? _done;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    RoutingChanges Changes => Services.GetRequiredService<RoutingChanges>();

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct) => _transports = await Services.GetRequiredService<TransportShapes>()
        .OfAsync(Viewer.Principal, Router.Of(Viewer.Tenant).Transports, ct);

    bool MayUse(TransportAnswer transport) =>
        Viewer.May(Scopes.Manage) && RoutingChanges.MayNotUse(Viewer.Principal, Router, transport.Name) is null;

    async Task SwitchAsync(TransportAnswer transport)
    {
        var (name, isPaused) = (transport.Name, !transport.Paused);
        var verb = isPaused ? "pause" : "resume";
        _problem = await Actions.DoAsync(Manage, $"POST /transports/{{name}}/{verb}", $"/transports/{name}/{verb}",
            by => Task.FromResult(Changes.PauseTransport(by, name, isPaused)));
        _done = _problem is not null ? null
            : isPaused ? $"{name} is paused: what is under way ends, nothing new begins." : $"{name} takes mail again.";
        await LookAsync();
    }

    async Task AddAsync()
    {
        _done = null;
        var body = new JsonObject().With("name", _draft.Name).With("dsn", _draft.ToDsn());
        if (_draft.IsShared)
            body["shared"] = true;
        string? note = null;
        _refused = await Actions.DoAsync(Manage, "POST /transports", "/transports", async by =>
        {
            if (TransportReader.ReadNew(body.ToBody(), out var unread) is not { } request)
                return unread;
            var added = await Changes.AddTransportAsync(by, request);
            note = added.Note;
            return added.Problem;
        });
        if (_refused is null)
            (_done, _draft) = ($"{_draft.Name.Trim()} is in force on all nodes. {note}", new TransportDraft());
        await LookAsync();
    }
}
