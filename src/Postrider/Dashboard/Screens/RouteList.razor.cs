using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Dashboard.Screens;

/// <summary>By which transports mail goes, and one more route.</summary>
sealed partial class RouteList
{
    IReadOnlyList<RouteAnswer> _routes = [];
    string _name = "";
    string _transports = "";
    string _strategy = "priority";
    bool _isShared;

    [Inject]
    TransportBook Book { get; set; } = null!;

    protected override Task ReadAsync(CancellationToken ct)
    {
        _routes =
        [
            .. RouteEndpoints.List(Viewer.Principal, Router, Book)
                .OrderBy(route => route.Position).ThenBy(route => route.Name, StringComparer.Ordinal),
        ];
        return Task.CompletedTask;
    }

    /// <summary>Nobody has written it down: it is the tenant's own transports in the order in which they were added.</summary>
    bool IsMadeOfOwn(RouteAnswer route) => route.Source != "database" && route.Transports.Count > 0
        && route.Transports.All(name => Table.FindTransport(name)?.Options.Owner == Viewer.Tenant);

    string Whose(RouteAnswer route) => IsMadeOfOwn(route) ? "made of your own transports, as they were added"
        : $"{(route.Shared ? "everybody's" : "own")}{(route.Source == "database" ? "" : ", fixed")}";

    async Task TakeOverAsync(RouteAnswer route)
    {
        if (await CopyRouteAsync(route, null))
            Pages.NavigateTo($"routes/{route.Name}");
    }

    async Task AddAsync()
    {
        var body = new JsonObject().With("name", _name).With("strategy", _strategy);
        body["transports"] = new JsonArray([.. RouteWords.Names(_transports).Select(name => (JsonNode)name)]);
        if (_isShared)
            body["shared"] = true;
        if (await DoAsync(Scopes.Manage, "POST /routes", "/routes", async by =>
            TransportReader.ReadNewRoute(body.ToBody(), out var unread) is { } request ? await Changes.AddRouteAsync(by, request) : unread))
            Pages.NavigateTo($"routes/{_name.Trim()}");
    }
}

/// <summary>How a route is told.</summary>
static class RouteWords
{
    public static string Strategy(RouteStrategy strategy) => strategy switch
    {
        RouteStrategy.Priority => "in order: the first that is healthy",
        RouteStrategy.Sticky => "sticky: stays with one while it works",
        RouteStrategy.RoundRobin => "in turns",
        RouteStrategy.Weighted => "by weight",
    };

    public static string Rules(RouteAnswer route) => route.Rules.Count > 0 ? string.Join("; or ", route.Rules.Select(Rule))
        : route.Name == RouteSettings.DefaultName ? "all that no rule leads elsewhere" : "what names it";

    public static string Rule(RouteRuleAnswer rule) => string.Join(" and ", new[]
    {
        rule.Stream is { } stream ? $"{stream} mail" : null, rule.Tag is { } tag ? $"tag {tag}" : null,
        rule.SenderDomain is { } from ? $"from {from}" : null, rule.RecipientDomain is { } to ? $"to {to}" : null,
    }.OfType<string>());

    /// <summary>As people separate them.</summary>
    public static IEnumerable<string> Names(string text) =>
        text.Split([' ', ',', ';', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
