using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Dashboard.Screens;

/// <summary>One route: its transports in order, which mail goes by it, and how.</summary>
sealed partial class RoutePage
{
    RouteAnswer? _route;
    IReadOnlyList<TransportAnswer> _transports = [];
    IReadOnlyList<string> _others = [];
    bool _mayChange;
    bool _hasOwn;
    RuleDraft _rule = new();
    TermsDraft _terms = new();
    RouteAnswer? _shown;                     // that _terms were made of

    [Parameter]
    public string Name { get; set; } = "";

    [Inject]
    TransportBook Book { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _route = RouteEndpoints.List(Viewer.Principal, Router, Book).FirstOrDefault(route => route.Name == Name);
        _mayChange = Viewer.May(Scopes.Manage) && Changes.MayNotChangeRoute(Viewer.Principal, Name, out _) is null;
        _hasOwn = Book.FindRoute(Viewer.Tenant, Name) is not null;
        if (_route is not { } route)
            return;
        _transports = await ShapesAsync([.. route.Transports.Select(Table.FindTransport).OfType<Transport>()], ct);
        _others = [.. Table.Transports.Select(transport => transport.Name).Except(route.Transports)];
        // What is being typed stays, unless the route became another meanwhile.
        if (_shown?.Name != Name || TermsDraft.Of(_shown!) != TermsDraft.Of(route))
            (_shown, _terms) = (route, TermsDraft.Of(route));
    }

    Task<bool> MoveAsync(int from, int to)
    {
        var names = _route!.Transports.ToList();
        (names[from], names[to]) = (names[to], names[from]);
        return OrderAsync(names);
    }

    Task<bool> TakeOutAsync(string name) => OrderAsync([.. _route!.Transports.Where(other => other != name)]);

    Task<bool> PutInAsync(string name) => OrderAsync([.. _route!.Transports, name]);

    Task<bool> OrderAsync(IReadOnlyList<string> names) =>
        ChangeAsync(new JsonObject { ["transports"] = Array(names) }, $"The order is now: {string.Join(", ", names)}.");

    async Task AddRuleAsync()
    {
        var rules = RulesNow();
        rules.Add(_rule.ToJson());
        if (await ChangeAsync(new JsonObject { ["rules"] = rules }, "The rule is in force."))
            _rule = new RuleDraft();
    }

    Task<bool> RemoveRuleAsync(int index)
    {
        var rules = RulesNow();
        rules.RemoveAt(index);
        return ChangeAsync(new JsonObject { ["rules"] = rules }, "The rule is gone.");
    }

    Task<bool> SaveAsync() => ChangeAsync(new JsonObject
    {
        ["strategy"] = _terms.Strategy,
        ["retry"] = Text(_terms.Retry),
        ["spill"] = Text(_terms.Spill),
        ["on_ambiguous"] = Text(_terms.OnAmbiguous),
        ["position"] = _terms.Position,
    }, "Stored. Mail that waits goes by it as it is now.");

    Task<bool> RemoveAsync() => DoAsync(Scopes.Manage, "DELETE /routes/{name}", $"/routes/{Name}",
        by => Changes.RemoveRouteAsync(by, Name, mayMove: true, Viewer.Ended), $"The route {Name} is removed.");

    Task<bool> CopyAsync() => CopyRouteAsync(_route!, "It is this tenant's own now, and can be changed.");

    Task<bool> ChangeAsync(JsonObject body, string told) => DoAsync(Scopes.Manage, "PATCH /routes/{name}", $"/routes/{Name}", async by =>
        TransportReader.ReadRouteChange(body.ToBody(), out var unread) is { } request
            ? await Changes.ChangeRouteAsync(by, Name, request) : unread, told);

    JsonArray RulesNow() => Rules(_route!);

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
