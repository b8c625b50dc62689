using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Dashboard.Screens;

/// <summary>One route: its transports in order, which mail goes by it, and how.</summary>
sealed partial class RoutePage
{
    static readonly NeedsAttribute Manage = new(Scopes.Manage);

    RouteAnswer? _route;
    IReadOnlyList<TransportAnswer> _transports = [];
    IReadOnlyList<string> _others = [];
    bool _mayChange;
    bool _hasOwn;
    RuleDraft _rule = new();
    TermsDraft _terms = new();
    RouteAnswer? _shown;                     // that _terms were made of
    Problem? _problem;
    string? _done;

    [Parameter]
    public string Name { get; set; } = "";

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    TransportBook Book { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    RoutingChanges Changes => Services.GetRequiredService<RoutingChanges>();

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _route = RouteEndpoints.List(Viewer.Principal, Router, Book).FirstOrDefault(route => route.Name == Name);
        _mayChange = Viewer.May(Scopes.Manage) && Changes.MayNotChangeRoute(Viewer.Principal, Name, out _) is null;
        _hasOwn = Book.FindRoute(Viewer.Tenant, Name) is not null;
        if (_route is not { } route)
            return;
        var table = Router.Of(Viewer.Tenant);
        _transports = await Services.GetRequiredService<TransportShapes>().OfAsync(
            Viewer.Principal, [.. route.Transports.Select(table.FindTransport).OfType<Transport>()], ct);
        _others = [.. table.Transports.Select(transport => transport.Name).Except(route.Transports)];
        // What is being typed stays, unless the route became another meanwhile.
        if (_shown?.Name != Name || TermsDraft.Of(_shown!) != TermsDraft.Of(route))
            (_shown, _terms) = (route, TermsDraft.Of(route));
    }

    Task MoveAsync(int from, int to)
    {
        var names = _route!.Transports.ToList();
        (names[from], names[to]) = (names[to], names[from]);
        return OrderAsync(names);
    }

    Task TakeOutAsync(string name) => OrderAsync([.. _route!.Transports.Where(other => other != name)]);

    Task PutInAsync(string name) => OrderAsync([.. _route!.Transports, name]);

    Task OrderAsync(IReadOnlyList<string> names) =>
        ChangeAsync(new JsonObject { ["transports"] = Array(names) }, $"The order is now: {string.Join(", ", names)}.");

    async Task AddRuleAsync()
    {
        var rules = RulesNow();
        rules.Add(_rule.ToJson());
        await ChangeAsync(new JsonObject { ["rules"] = rules }, "The rule is in force.");
        if (_problem is null)
            _rule = new RuleDraft();
    }

    Task RemoveRuleAsync(int index)
    {
        var rules = RulesNow();
        rules.RemoveAt(index);
        return ChangeAsync(new JsonObject { ["rules"] = rules }, "The rule is gone.");
    }

    Task SaveAsync() => ChangeAsync(new JsonObject
    {
        ["strategy"] = _terms.Strategy,
        ["retry"] = Text(_terms.Retry),
        ["spill"] = Text(_terms.Spill),
        ["on_ambiguous"] = Text(_terms.OnAmbiguous),
        ["position"] = _terms.Position,
    }, "Stored. Mail that waits goes by it as it is now.");

    Task RemoveAsync() => DoAsync("DELETE /routes/{name}", $"/routes/{Name}", $"The route {Name} is removed.",
        by => Changes.RemoveRouteAsync(by, Name, mayMove: true, Viewer.Ended));

    Task CopyAsync()
    {
        var body = new JsonObject
        {
            ["name"] = Name,
            ["transports"] = Array(_route!.Transports),
            ["strategy"] = ApiJson.Word(_route.Strategy),
            ["rules"] = RulesNow(),
        };
        return DoAsync("POST /routes", "/routes", "It is this tenant's own now, and can be changed.", async by =>
            TransportReader.ReadNewRoute(body.ToBody(), out var unread) is { } request ? await Changes.AddRouteAsync(by, request) : unread);
    }

    Task ChangeAsync(JsonObject body, string done) => DoAsync("PATCH /routes/{name}", $"/routes/{Name}", done, async by =>
        TransportReader.ReadRouteChange(body.ToBody(), out var unread) is { } request
            ? await Changes.ChangeRouteAsync(by, Name, request) : unread);

    async Task DoAsync(string action, string target, string done, Func<Principal, Task<Problem?>> change)
    {
        _problem = await Actions.DoAsync(Manage, action, target, change);
        _done = _problem is null ? done : null;
        await LookAsync();
    }

    JsonArray RulesNow() => [.. _route!.Rules.Select(rule => (JsonNode)new JsonObject().With("stream", rule.Stream).With("tag", rule.Tag)
        .With("sender_domain", rule.SenderDomain).With("recipient_domain", rule.RecipientDomain))];

    static JsonArray Array(IEnumerable<string> names) => [.. names.Select(name => (JsonNode)name)];

    static string? Text(string typed) => typed.Trim() is { Length: > 0 } text ? text : null;

    /// <summary>A rule as it is typed.</summary>
    sealed class RuleDraft
    {
        public string Stream { get; set; } = "";
        public string Tag { get; set; } = "";
        public string SenderDomain { get; set; } = "";
        public string RecipientDomain { get; set; } = "";

        public JsonObject ToJson() => new JsonObject().With("stream", Stream).With("tag", Tag)
            .With("sender_domain", SenderDomain).With("recipient_domain", RecipientDomain);
    }

    /// <summary>How mail goes, as it is typed.</summary>
    sealed record TermsDraft
    {
        public string Strategy { get; set; } = "priority";
        public string Retry { get; set; } = "";
        public string Spill { get; set; } = "";
        public string OnAmbiguous { get; set; } = "";
        public int Position { get; set; }

        public static TermsDraft Of(RouteAnswer route) => new()
        {
            Strategy = ApiJson.Word(route.Strategy),
            Retry = route.Retry ?? "",
            Spill = route.Spill ?? "",
            OnAmbiguous = route.OnAmbiguous ?? "",
            Position = route.Position,
        };
    }
}
