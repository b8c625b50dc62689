using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>What shows the viewer's transports and routes, as they go on all nodes.</summary>
public abstract class RoutingPart : ActingPart
{
    [Inject]
    private protected Router Router { get; set; } = null!;

    [Inject]
    private protected TransportShapes Shapes { get; set; } = null!;

    [Inject]
    private protected RoutingChanges Changes { get; set; } = null!;

    /// <summary>What the viewer's mail goes by.</summary>
    private protected RouteTable Table => Router.Of(Viewer.Tenant);

    private protected Task<IReadOnlyList<TransportAnswer>> ShapesAsync(IReadOnlyList<Transport> transports, CancellationToken ct) =>
        Shapes.OfAsync(Viewer.Principal, transports, ct);

    /// <summary>Stores a route as it is as the tenant's own, which can be changed.</summary>
    private protected Task<bool> CopyRouteAsync(RouteAnswer route, string? told)
    {
        var body = new JsonObject
        {
            ["name"] = route.Name,
            ["transports"] = Array(route.Transports),
            ["strategy"] = ApiJson.Word(route.Strategy),
            ["rules"] = Rules(route),
        };
        return DoAsync(Scopes.Manage, "POST /routes", "/routes", async by =>
            TransportReader.ReadNewRoute(body.ToBody(), out var unread) is { } request
                ? await Changes.AddRouteAsync(by, request) : unread, told);
    }

    private protected static JsonArray Rules(RouteAnswer route) =>
    [
        .. route.Rules.Select(rule => (JsonNode)new JsonObject().With("stream", rule.Stream).With("tag", rule.Tag)
            .With("sender_domain", rule.SenderDomain).With("recipient_domain", rule.RecipientDomain)),
    ];

    private protected static JsonArray Array(IEnumerable<string> names) => [.. names.Select(name => (JsonNode)name)];
}
