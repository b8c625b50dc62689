using System.CommandLine;
using System.Globalization;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>queue</c>: what waits, and for what.</summary>
static class QueueCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("queue", "Shows what waits of your mail and what is under way, and why it does not go.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/queue", ct), (answer, _) =>
        {
            var groups = answer.As(ApiJson.Default.QueueAnswer).Data;
            if (groups.Count == 0)
                screen.Line("Nothing waits.");
            else
                screen.Table(["recipients", "stream", "route", "state", "waits for", "due since", "due from"], groups.Select(group => new[]
                {
                    group.Recipients.ToString("N0", CultureInfo.InvariantCulture), ApiJson.Word(group.Stream), group.Route,
                    ApiJson.Word(group.Status),
                    QueueWords.Why(group), Screen.Time(group.OldestDueAt), Screen.Time(group.NextDueAt),
                }));
        });
        return command;
    }
}
