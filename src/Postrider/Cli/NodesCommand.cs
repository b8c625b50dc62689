using System.CommandLine;
using System.Globalization;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>nodes</c>: the processes that share the store.</summary>
static class NodesCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("nodes", "Shows the processes that share the store, and which of them live.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/nodes", ct), (answer, _) =>
            screen.Table(["id", "name", "state", "roles", "in flight", "version", "last beat"],
                answer.As(ApiJson.Default.NodeListAnswer).Data.Select(node => new[]
                {
                    node.Id.ToString(CultureInfo.InvariantCulture), node.Name, node.State, node.Roles,
                    node.InFlight.ToString(CultureInfo.InvariantCulture), node.Version, Screen.Time(node.LastBeatAt),
                })));
        return command;
    }
}
