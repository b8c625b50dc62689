using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Hosting;
using Spectre.Console;

namespace Postrider.Cli;

/// <summary><c>move</c>: takes everything from a SQLite database to an empty PostgreSQL one, while no server runs.</summary>
static class MoveCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var from = new Option<string>("--from") { Description = "The SQLite database: sqlite:PATH. Its server must be stopped.", Required = true };
        var to = new Option<string?>("--to")
        {
            Description = "An empty PostgreSQL database: postgres://user@host/database. PGPASSWORD keeps the password off the command line.",
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only looks at both, and says what would be moved." };
        var undo = new Option<bool>("--undo") { Description = "Gives a move up, so that a server starts on the SQLite database again." };
        var command = new Command("move",
            "Moves everything from SQLite to PostgreSQL. When it is killed, the same command goes on where it stopped.")
        { from, to, dryRun, undo };
        var settings = ServerSettings.Of(
            command, input, "As for serve, where they are not in the environment: --config FILE, --data FOLDER (for its master.key).");
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = settings.Load(parsed);
            var (source, target) = (parsed.GetValue(from)!, parsed.GetValue(to));
            try
            {
                if (parsed.GetValue(undo))
                {
                    await Moving.UndoAsync(configuration, source, target, ct);
                    if (connection.WantsJson(parsed))
                        screen.Json(new JsonObject { ["undone"] = source });
                    else
                        screen.Line($"The move is given up: a server can be started on {source} again.");
                    return ExitCodes.Ok;
                }
                if (target is null)
                    throw CommandFailure.Usage("--to is missing: postrider move --from sqlite:PATH --to postgres://user@host/database");
                var isDry = parsed.GetValue(dryRun);
                var isQuiet = connection.WantsJson(parsed);
                var moved = await WatchedAsync(
                    screen, isQuiet, step => Moving.RunAsync(configuration, source, target, isDry, step, ct));
                if (isQuiet)
                    screen.Json(Json(moved, isDry));
                else
                    Tell(screen, moved, isDry);
                return ExitCodes.Ok;
            }
            catch (Moving.Failure failure)
            {
                throw new CommandFailure(failure.ExitCode, failure.Message);
            }
        });
        return command;
    }

    static JsonObject Json(Moving.Moved moved, bool isDry) => new()
    {
        ["dry_run"] = isDry,
        ["was_done"] = moved.WasDone,
        ["rows"] = new JsonObject(moved.Rows.Select(r => KeyValuePair.Create(r.Table, (JsonNode?)JsonValue.Create(r.Rows)))),
        ["swept"] = moved.Swept,
        ["secrets"] = moved.Secrets,
        ["master_key"] = moved.KeyAdvice,
    };

    static void Tell(Screen screen, Moving.Moved moved, bool isDry)
    {
        if (moved.WasDone)
        {
            screen.Line("It is moved already. Start the nodes with POSTRIDER_STORE=postgres://…");
            screen.Line(moved.KeyAdvice);
            return;
        }
        screen.Table(["table", "rows"], moved.Rows.Where(r => r.Rows > 0).Select(r => new[] { r.Table, Number(r.Rows) }));
        if (isDry)
        {
            screen.Line("Nothing was moved. Both databases are fit for it.");
            return;
        }
        screen.Line($"Moved, and verified row by row. {moved.Secrets} secrets open with the master key.");
        if (moved.Swept > 0)
            screen.Line($"{moved.Swept} attempts were cut when the server ended; they are made again unless their policy is hold.");
        screen.Line("Start the nodes with POSTRIDER_STORE=postgres://…; nothing starts on the SQLite database any more. Keep it until you have a backup.");
        screen.Line(moved.KeyAdvice);
    }

    /// <summary>A bar on a terminal; elsewhere a line for each table and work.</summary>
    static async Task<T> WatchedAsync<T>(Screen screen, bool isQuiet, Func<Action<Moving.Step>, Task<T>> run)
    {
        if (isQuiet)
            return await run(static _ => { });
        if (screen.IsTerminal)
            return await screen.Console.Progress().AutoClear(true).StartAsync(context =>
            {
                var bar = context.AddTask("open");
                return Task.Run(() => run(step =>
                {
                    bar.Description = $"{step.Work} {step.Table} ({Number(step.Done)} of {Number(step.Total)})";
                    bar.MaxValue = Math.Max(1, step.Total);
                    bar.Value = step.Done;
                }));
            });
        var shown = ("", "");
        return await run(step =>
        {
            if (step.Done < step.Total || step.Total == 0 || shown == (step.Work, step.Table))
                return;
            shown = (step.Work, step.Table);
            screen.Line($"{step.Work} {step.Table}: {Number(step.Total)}");
        });
    }

    static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
