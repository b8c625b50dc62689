using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>One transport: how it is doing and why, a test, and what can be changed of it.</summary>
sealed partial class TransportPage
{
    TransportAnswer? _transport;
    TransportOptionsDraft _options = new();
    string? _shownDsn;                       // that _options were made of
    bool _mayUse;
    bool _mayChange;
    TransportDraft _place = new();           // where it leads, and by which access
    string _to = "";
    string _from = "";
    TransportTestAnswer? _test;
    Problem? _testProblem;

    [Parameter]
    public string Name { get; set; } = "";

    [Inject]
    TransportTest Test { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _transport = Table.FindTransport(Name) is { } found
            ? (await ShapesAsync([found], ct))[0] : null;
        var mayManage = Viewer.May(Scopes.Manage);
        _mayUse = mayManage && RoutingChanges.MayNotUse(Viewer.Principal, Router, Name) is null;
        _mayChange = mayManage && Changes.MayNotChange(Viewer.Principal, Name, out _) is null;
        // What is being typed stays, unless the transport became another meanwhile.
        if (_transport?.Dsn is { } dsn && dsn != _shownDsn)
            (_shownDsn, _options, _place) = (dsn, TransportOptionsDraft.Of(dsn), TransportDraft.Of(dsn));
    }

    Task<bool> SwitchAsync()
    {
        var isPaused = _transport?.Paused != true;
        var verb = isPaused ? "pause" : "resume";
        return DoAsync(Scopes.Manage, $"POST /transports/{{name}}/{verb}", $"/transports/{Name}/{verb}",
            by => Changes.PauseTransportAsync(by, Name, isPaused),
            isPaused ? "Paused: what is under way ends, nothing new begins." : "It takes mail again.");
    }

    Task<bool> RemoveAsync() => DoAsync(Scopes.Manage, "DELETE /transports/{name}", $"/transports/{Name}",
        by => Changes.RemoveTransportAsync(by, Name), $"{Name} is gone from all nodes.");

    async Task SaveAsync()
    {
        var options = new JsonObject();
        foreach (var (name, value) in _options.ChangesFrom(_shownDsn ?? ""))
            options[name] = value;
        if (options.Count == 0)
            (Refused, Told) = (null, "The options are as they were.");
        else
            await ChangeAsync(new JsonObject { ["options"] = options }, "Stored, and in force on all nodes.");
    }

    async Task MoveAsync()
    {
        if (await ChangeAsync(new JsonObject().With("dsn", _place.ToDsn(_shownDsn!)), "Stored, and in force on all nodes. Send a test."))
            _place.Secret = "";
    }

    Task<bool> ChangeAsync(JsonObject body, string told) =>
        DoAsync(Scopes.Manage, "PATCH /transports/{name}", $"/transports/{Name}", async by =>
            TransportReader.ReadChange(body.ToBody(), out var unread) is { } request
                ? await Changes.ChangeTransportAsync(by, Name, request) : unread, told);

    async Task TestAsync()
    {
        _test = null;
        var body = new JsonObject().With("to", _to).With("from", _from);
        _testProblem = await TryAsync(Scopes.Manage, "POST /transports/{name}/test", $"/transports/{Name}/test", async by =>
        {
            if (TestReader.Read(body.ToBody(), out var unread) is not { } request)
                return unread;
            var result = await Test.RunAsync(by, Name, request, Viewer.Ended);
            _test = result.Answer;
            return result.Problem;
        });
    }
}
