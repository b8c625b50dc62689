using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Postrider.Cli;

/// <summary><c>queue</c>: what waits, and for what.</summary>
static class QueueCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("queue", "Shows what waits of your mail and what is under way, and why it does not go.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/queue", ct), (answer, _) =>
        {
            var groups = JsonNode.Parse(answer.Json)!["data"]!.AsArray();
            if (groups.Count == 0)
                screen.Line("Nothing waits.");
            else
                screen.Table(["recipients", "stream", "route", "state", "waits for", "due since", "due from"], groups.Select(group => new[]
                {
                    ((long)group!["recipients"]!).ToString("N0", CultureInfo.InvariantCulture), (string?)group["stream"], (string?)group["route"],
                    (string?)group["status"], (string?)group["waiting_text"] ?? (string?)group["waiting_for"],
                    Screen.Time((DateTimeOffset?)group["oldest_due_at"]), Screen.Time((DateTimeOffset?)group["next_due_at"]),
                }));
        });
        return command;
    }
}
