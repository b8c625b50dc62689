using System.CommandLine;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>alerts</c>: what is wrong, and what to do about it.</summary>
static class AlertsCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("alerts", "Shows what is wrong, and what was within seven days.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/alerts", ct), (answer, _) =>
            screen.Table(["kind", "state", "since", "until", "what", "what to do"],
                answer.As(ApiJson.Default.AlertListAnswer).Data.Select(alert => new[]
                {
                    alert.Kind, alert.State, Screen.Time(alert.RaisedAt), Screen.Time(alert.ResolvedAt), alert.Text, alert.Remedy,
                })));
        return command;
    }
}
