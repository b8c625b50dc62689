using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Routing;

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
}
