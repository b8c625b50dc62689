using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>restore FILE</c>: puts a backup in the place of a SQLite database, while no server has it.</summary>
static class RestoreCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var file = new Argument<FileInfo>("file") { Description = "As postrider backup made it." };
        var force = new Option<bool>("--force") { Description = "Put the database that is there aside, beside its old place." };
        var unsent = new Option<bool>("--nothing-sent-since")
        {
            Description = "No server ran on the database after the backup: what waits in it was not sent, and is no possible duplicate.",
        };
        var command = new Command("restore",
            "Puts a backup in place while no server runs. Mail that waited in it may have been sent since: it is sent again as a possible duplicate, "
            + "or held where its policy is hold.") { file, force, unsent };
        var settings = ServerSettings.Of(command, input);
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = settings.Load(parsed);
            var options = configuration.Get<PostriderOptions>();
            if (Backups.IsOfPostgres(options))
                throw CommandFailure.Usage(Backups.OfPostgres);
            var from = parsed.GetRequiredValue(file);
            if (!from.Exists)
                throw CommandFailure.Usage($"there is no file {from.FullName}");
            var isQuiet = connection.WantsJson(parsed);
            var (mark, mail, aside, _, keyAside) = await screen.ProgressAsync("restore", isQuiet, _ => RestoreAsync(
                () => Backups.RestoreAsync(configuration, from.FullName, !parsed.GetValue(unsent), parsed.GetValue(force), ct)));
            if (isQuiet)
                screen.Json(new Answer(new JsonObject
                {
                    ["database"] = Stores.Place(options),
                    ["at"] = mark.Moment,
                    ["sent_again"] = mail.SentAgain,
                    ["held"] = mail.Held,
                    ["paused_batches"] = mail.Batches,
                    ["paused_schedules"] = mail.Schedules,
                    ["cancelled_jobs"] = mail.Jobs,
                    ["aside"] = aside,
                    ["key_aside"] = keyAside,
                }.ToJsonString()));
            else
                foreach (var line in Lines(Stores.Place(options), mark.Moment,
                    mail.SentAgain, mail.Held, mail.Batches, mail.Schedules, mail.Jobs, aside, keyAside))
                    screen.Line(line);
            return ExitCodes.Ok;
        });
        return command;
    }

    static async Task<T> RestoreAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Backups.Failure failure)
        {
            throw new CommandFailure(failure.ExitCode, failure.Message);
        }
    }

    static IEnumerable<string> Lines(
        string place, string moment, int again, int held, int batches, int schedules, int jobs, string? aside, string? keyAside)
    {
        string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
        yield return $"{place} is as it was at {moment}.";
        if (aside is not null)
            yield return $"What was there before is {aside}.";
        if (keyAside is not null)
            yield return $"The master key that was there before is {keyAside}: what was there before needs it.";
        if (again > 0)
            yield return $"Sent again, as it waited then: {Screen.Count(again, "message")}, possible duplicates, and marked so.";
        if (held > 0)
            yield return $"Held, as its policy is: {Screen.Count(held, "message")}: postrider dead-letters list --status held";
        if (batches > 0)
            yield return $"{Number(batches)} large batches that were under way are paused: postrider batches list, then resume or cancel each.";
        if (schedules > 0)
            yield return $"{Number(schedules)} schedules whose time has come since are paused: postrider schedules list, then resume each.";
        if (jobs > 0)
            yield return $"{Number(jobs)} jobs on dead letters that were under way are cancelled: postrider dead-letters list, then redrive.";
        yield return "Lost is what was done after the backup: keys that were revoked since are valid again, and addresses suppressed since get mail. "
            + "docs/backup.md has the list to go through before the server is started.";
    }
}
