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
        {
            var kept = answer.As(ApiJson.Default.RetentionListAnswer);
            screen.Table(["kind", "kept for", "would go now", "bytes", "gone so far", "bytes", "last"], kept.Data.Select(kind => new[]
            {
                ApiJson.Word(kind.Kind), kind.KeepSeconds is { } seconds ? Age(TimeSpan.FromSeconds(seconds)) : "ever",
                kind.Due is null ? "not counted" : Number(kind.Due), Number(kind.DueBytes), Number(kind.Removed), Number(kind.RemovedBytes),
                Screen.Time(kind.LastAt),
            }));
            screen.Line(Forecast(kept.Disk));
        });
        return command;
    }

    /// <summary>In words.</summary>
    internal static string Forecast(DiskAnswer disk)
    {
        if (disk.Bytes is not { } bytes)
            return "How large the database is has not been noted yet.";
        var size = $"The database holds {Megabytes(bytes)}";
        return disk switch
        {
            { BytesPerDay: not { } } => $"{size}. How fast it grows is known after twelve hours.",
            { BytesPerDay: <= 0 } => $"{size}, and does not grow.",
            { FullInSeconds: { } seconds } => $"{size}, and grows by {Megabytes(disk.BytesPerDay.Value)} a day. "
                + $"At this rate the disk is full in {Age(TimeSpan.FromSeconds(seconds))}.",
            { RoomBytes: null } => $"{size}, and grows by {Megabytes(disk.BytesPerDay.Value)} a day. How much room its disk has is "
                + "not known here: POSTRIDER_STORAGE__DATABASE_MAX_BYTES can say how large it may become.",
            _ => $"{size}, and grows by {Megabytes(disk.BytesPerDay.Value)} a day; the disk lasts for years.",
        };
    }

    static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB");

    static string Age(TimeSpan age) => age.TotalDays >= 1
        ? $"{age.TotalDays.ToString("0.#", CultureInfo.InvariantCulture)} days"
        : age.ToString("c", CultureInfo.InvariantCulture);

    static string? Number(long? value) => value?.ToString(CultureInfo.InvariantCulture);
}
