using Postrider.Queue;

namespace Postrider.Api;

/// <summary>The call about the processes that do the work.</summary>
static class NodeEndpoints
{
    public static void MapNodes(this IEndpointRouteBuilder app) =>
        app.MapGet("/nodes", async (INodeList nodes, CancellationToken ct) =>
            ApiJson.Answer(new NodeListAnswer([.. (await nodes.ListNodesAsync(ct)).Select(NodeAnswer.Of)])))
            .For(Access.Installation).Answers<NodeListAnswer>(200)
            .Says("listNodes", "The processes that share the store: where they are, what they do, and when they were last heard of.");
}

/// <summary>Answer to <c>GET /nodes</c>.</summary>
sealed record NodeListAnswer(IReadOnlyList<NodeAnswer> Data);

/// <summary>A process as the others see it.</summary>
/// <param name="Id">A number from 0 to 255.</param>
/// <param name="Address">Where others reach it, one or more URLs: <c>POSTRIDER_URLS</c>, with the machine's name where it listens on every
/// address.</param>
/// <param name="Roles">Separated by commas, or <c>all</c>.</param>
/// <param name="InFlight">Attempts under way; 0 where it does not live.</param>
/// <param name="Alive">False: it has ended, or the others have given it up. A day later it is not shown any more.</param>
/// <param name="State"><c>alive</c>, <c>draining</c> (it takes nothing new, and ends when its attempts have) or <c>ended</c>.</param>
/// <param name="DrainingSince">Null: it does not drain.</param>
sealed record NodeAnswer(
    int Id, string Name, string Host, string Address, string Roles, string Version, DateTimeOffset StartedAt, DateTimeOffset LastBeatAt,
    long Beats, int InFlight, bool Alive, string State, DateTimeOffset? DrainingSince)
{
    public static NodeAnswer Of(NodeView node) => new(node.Id, node.Name, node.Host, node.Address, node.Roles, node.Version,
        node.StartedAt, node.LastBeatAt, node.Beats, node.Alive ? node.InFlight : 0, node.Alive,
        !node.Alive ? "ended" : node.DrainingSince is null ? "alive" : "draining", node.DrainingSince);
}
