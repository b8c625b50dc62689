using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Hosting;
using Postrider.Messages;

namespace Postrider.Cli;

/// <summary><c>backup FILE</c>: a copy of everything that a server on SQLite keeps, made while it works or while it is stopped.</summary>
static class BackupCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var file = new Argument<FileInfo>("file") { Description = "Where to: a new file, best on another disk." };
        var secrets = new Option<bool>("--with-secrets")
        {
            Description = $"Put the master key beside it (FILE{Backups.KeyEnd}): whoever has both can read every secret.",
        };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace a file that is there, once the new one is whole." };
        var command = new Command("backup",
            "Copies everything that a server on SQLite keeps, while it works (with a key of an administrator of the first tenant) or while it is "
            + "stopped, and reads the copy back.") { file, secrets, overwrite };
        var settings = ServerSettings.Of(command, input);
        command.SetAction(async (parsed, ct) =>
        {
            var options = settings.Load(parsed).Get<PostriderOptions>();
            var to = parsed.GetRequiredValue(file);
            if (to.Exists && !parsed.GetValue(overwrite))
                throw CommandFailure.Usage($"{to.FullName} is there already: give another name, or --overwrite");
            if (to.Directory is not { Exists: true })
                throw CommandFailure.Usage($"there is no folder {to.DirectoryName}: make it first, or mount what it is on");
            var isQuiet = connection.WantsJson(parsed);
            var part = $"{to.FullName}.part";
            try
            {
                await CopyAsync(connection, parsed, screen, options, part, isQuiet, ct);
                var mark = Guarded(() => Backups.Check(part));
                var key = parsed.GetValue(secrets) ? await KeyAsync(options, part, ct) : null;
                File.Move(part, to.FullName, overwrite: true);
                if (key is not null)
                    SecretFiles.Write(to.FullName + Backups.KeyEnd, System.Text.Encoding.ASCII.GetBytes(key + "\n"));
                to.Refresh();
                Tell(screen, isQuiet, to, mark.Moment, key is not null);
                return ExitCodes.Ok;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CommandFailure(ExitCodes.Storage, $"{to.FullName} cannot be written: {e.Message}");
            }
            finally
            {
                File.Delete(part);
            }
        });
        return command;
    }

    static async Task CopyAsync(ConnectionOptions connection, ParseResult parsed, Screen screen, PostriderOptions options, string part,
        bool isQuiet, CancellationToken ct)
    {
        if (await connection.AnswersAsync(parsed, ct))
        {
            using var server = connection.Open(parsed);
            await screen.ProgressAsync("copy", isQuiet, async step =>
            {
                await using var to = new FileStream(part, OwnerOnly.Open(FileMode.Create, FileAccess.Write));
                await server.DownloadAsync(HttpMethod.Post, "/backup", to, step, ct);
                to.Flush(flushToDisk: true);
                return true;
            });
            return;
        }
        if (connection.NamesServer(parsed))
            throw new CommandFailure(ExitCodes.Unavailable, $"no server answers at {connection.Address(parsed)}; "
                + "without --url and POSTRIDER_URL the database of this machine is copied");
        if (Backups.IsOfPostgres(options))
            throw CommandFailure.Usage(Backups.OfPostgres);
        await screen.ProgressAsync("copy", isQuiet, step =>
            Task.Run(() => Guarded(() => Backups.CopyStopped(options, part, (done, total) => step(done, total), ct)), ct));
    }

    static async Task<string> KeyAsync(PostriderOptions options, string part, CancellationToken ct) =>
        await Backups.KeyTextAsync(options, part, ct) ?? throw new CommandFailure(ExitCodes.Configuration,
            "the master key of this database is not on this machine, or not in these settings: name the data folder of the server with --data, "
            + "or leave --with-secrets out and keep the key apart");

    /// <summary>What hosting says of a backup, as a failure of a command.</summary>
    public static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Backups.Failure failure)
        {
            throw new CommandFailure(failure.ExitCode, failure.Message);
        }
    }

    static void Tell(Screen screen, bool isQuiet, FileInfo file, string moment, bool hasKey)
    {
        if (isQuiet)
        {
            screen.Json(new Answer(new JsonObject
            {
                ["file"] = file.FullName,
                ["bytes"] = file.Length,
                ["at"] = moment,
                ["key"] = hasKey ? file.FullName + Backups.KeyEnd : null,
            }.ToJsonString()));
            return;
        }
        screen.Line(string.Create(CultureInfo.InvariantCulture,
            $"{file.FullName}: {file.Length:N0} bytes, whole, with everything that was acknowledged before {moment}."));
        screen.Line(hasKey ? $"The master key is in {file.FullName}{Backups.KeyEnd}: whoever has both can read every secret."
            : "The master key is not in it, and without it no secret opens: keep a copy of that apart (master.key in the data folder).");
    }
}
