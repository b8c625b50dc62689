using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Parts;
using Postrider.Queue;

namespace Postrider.Dashboard.Screens;

/// <summary>The processes that do the work: which of them live, and what each has in hand.</summary>
sealed partial class NodeList
{
    IReadOnlyList<NodeAnswer> _nodes = [];
    IReadOnlyList<TransportAnswer> _transports = [];
    string _newest = "";

    [Inject]
    INodeList Nodes { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _nodes = [.. (await Nodes.ListNodesAsync(ct)).Select(NodeAnswer.Of)
            .OrderByDescending(node => node.Alive).ThenBy(node => node.Name, StringComparer.Ordinal)];
        _newest = _nodes.Where(node => node.Alive).MaxBy(node => node.StartedAt)?.Version ?? "";
        _transports = await ShapesAsync(Table.Transports, ct);
    }
}

/// <summary>How a node is told.</summary>
static class NodeWords
{
    /// <summary>Attempts under way, and at which of the viewer's transports.</summary>
    public static string Holds(NodeAnswer node, IReadOnlyList<TransportAnswer> transports)
    {
        var where = transports.Select(transport => (transport.Name,
                Count: transport.Nodes.Where(one => one.Alive && one.Node == node.Name).Sum(one => one.InFlight)))
            .Where(one => one.Count > 0).Select(one => $"{one.Name} {Numbers.Count(one.Count)}").ToList();
        var count = Numbers.Count(node.InFlight);
        return where.Count == 0 ? count : $"{count} ({string.Join(", ", where)})";
    }
}
