using System.CommandLine;
using System.Globalization;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>retention [--dry-run]</c>: what would go now. The server deletes by itself.</summary>
static class RetentionCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "What this command does anyway: it deletes nothing." };
        var command = new Command("retention", "Shows how long things are kept, what would go now, and what has gone.") { dryRun };
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/retention", ct), (answer, _) =>
            screen.Table(["kind", "kept for", "would go now", "bytes", "gone so far", "bytes", "last"],
                answer.As(ApiJson.Default.RetentionListAnswer).Data.Select(kind => new[]
                {
                    ApiJson.Word(kind.Kind), kind.KeepSeconds is { } seconds ? Age(TimeSpan.FromSeconds(seconds)) : "ever",
                    kind.Due is null ? "many" : Number(kind.Due), Number(kind.DueBytes), Number(kind.Removed), Number(kind.RemovedBytes),
                    Screen.Time(kind.LastAt),
                })));
        return command;
    }

    static string Age(TimeSpan age) => age.TotalDays >= 1
        ? $"{age.TotalDays.ToString("0.#", CultureInfo.InvariantCulture)} days"
        : age.ToString("c", CultureInfo.InvariantCulture);

    static string? Number(long? value) => value?.ToString(CultureInfo.InvariantCulture);
}
