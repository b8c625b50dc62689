using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>One transport: how it is doing and why, a test, and what can be changed of it.</summary>
sealed partial class TransportPage
{
    static readonly NeedsAttribute Manage = new(Scopes.Manage);

    TransportAnswer? _transport;
    TransportOptionsDraft _options = new();
    string? _shownDsn;                       // that _options were made of
    bool _mayUse;
    bool _mayChange;
    string _dsn = "";
    string _to = "";
    string _from = "";
    TransportTestAnswer? _test;
    Problem? _testProblem;
    Problem? _problem;
    string? _done;

    [Parameter]
    public string Name { get; set; } = "";

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    RoutingChanges Changes => Services.GetRequiredService<RoutingChanges>();

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _transport = Router.Of(Viewer.Tenant).FindTransport(Name) is { } found
            ? (await Services.GetRequiredService<TransportShapes>().OfAsync(Viewer.Principal, [found], ct))[0] : null;
        var mayManage = Viewer.May(Scopes.Manage);
        _mayUse = mayManage && RoutingChanges.MayNotUse(Viewer.Principal, Router, Name) is null;
        _mayChange = mayManage && Changes.MayNotChange(Viewer.Principal, Name, out _) is null;
        // What is being typed stays, unless the transport became another meanwhile.
        if (_transport?.Dsn is { } dsn && dsn != _shownDsn)
            (_shownDsn, _options) = (dsn, TransportOptionsDraft.Of(dsn));
    }

    async Task SwitchAsync()
    {
        var isPaused = _transport?.Paused != true;
        var verb = isPaused ? "pause" : "resume";
        await DoAsync($"POST /transports/{{name}}/{verb}", $"/{verb}",
            isPaused ? "Paused: what is under way ends, nothing new begins." : "It takes mail again.",
            by => Task.FromResult(Changes.PauseTransport(by, Name, isPaused)));
    }

    Task RemoveAsync() => DoAsync(
        "DELETE /transports/{name}", "", $"{Name} is gone from all nodes.", by => Changes.RemoveTransportAsync(by, Name));

    async Task SaveAsync()
    {
        var options = new JsonObject();
        foreach (var (name, value) in _options.ChangesFrom(_shownDsn ?? ""))
            options[name] = value;
        if (options.Count == 0)
            (_problem, _done) = (null, "The options are as they were.");
        else
            await ChangeAsync(new JsonObject { ["options"] = options }, "Stored, and in force on all nodes.");
    }

    async Task MoveAsync()
    {
        await ChangeAsync(new JsonObject().With("dsn", _dsn), "Stored, and in force on all nodes. Send a test.");
        if (_problem is null)
            _dsn = "";
    }

    Task ChangeAsync(JsonObject body, string done) => DoAsync("PATCH /transports/{name}", "", done, async by =>
        TransportReader.ReadChange(body.ToBody(), out var unread) is { } request
            ? await Changes.ChangeTransportAsync(by, Name, request) : unread);

    async Task TestAsync()
    {
        _test = null;
        var body = new JsonObject().With("to", _to).With("from", _from);
        _testProblem = await Actions.DoAsync(Manage, "POST /transports/{name}/test", $"/transports/{Name}/test", async by =>
        {
            if (TestReader.Read(body.ToBody(), out var unread) is not { } request)
                return unread;
            var result = await Services.GetRequiredService<TransportTest>().RunAsync(by, Name, request, Viewer.Ended);
            _test = result.Answer;
            return result.Problem;
        });
        await LookAsync();
    }

    async Task DoAsync(string action, string target, string done, Func<Principal, Task<Problem?>> change)
    {
        _problem = await Actions.DoAsync(Manage, action, $"/transports/{Name}{target}", change);
        _done = _problem is null ? done : null;
        await LookAsync();
    }
}
