using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>migrate</c>: brings a PostgreSQL database up to date before the first node of a new version starts. Every start does the
/// same; the command is for who wants to see it done, or lets the servers work with fewer rights.</summary>
static class MigrateCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen, CommandInput input)
    {
        var command = new Command("migrate", "Checks the PostgreSQL server and brings the database's schema up to date.");
        var settings = ServerSettings.Of(command, input, "As for serve: --store postgres://…, --config FILE.");
        command.SetAction(async (parsed, ct) =>
        {
            var configuration = settings.Load(parsed);
            var (exitCode, text) = await Stores.MigrateAsync(configuration.Get<PostriderOptions>().Store, ct);
            if (exitCode != ExitCodes.Ok)
                throw new CommandFailure(exitCode, text);
            if (connection.WantsJson(parsed))
                screen.Json(new JsonObject { ["detail"] = text });
            else
                screen.Line(text);
            return ExitCodes.Ok;
        });
        return command;
    }
}
