using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>users list|add|reset|role|disable|enable|remove</c>.</summary>
static class UsersCommand
{
    static readonly string[] Roles = ["viewer", "operator", "admin"];

    public static Command Make(ConnectionOptions connection, Screen screen) => new("users", "Who may sign in to the dashboard.")
    {
        MakeList(connection, screen), MakeAdd(connection, screen),
        MakeChange(connection, screen, "reset", "Takes a user's password away and shows a link by which another one is chosen.",
            (server, id, ct) => server.PostAsync($"/users/{id}/reset", "{}", ct)),
        MakeChange(connection, screen, "disable", "Ends a user's sessions and lets nobody sign in as him.",
            (server, id, ct) => server.PatchAsync($"/users/{id}", """{"disabled":true}""", ct)),
        MakeChange(connection, screen, "enable", "Lets a disabled user sign in again.",
            (server, id, ct) => server.PatchAsync($"/users/{id}", """{"disabled":false}""", ct)),
        MakeRole(connection, screen), MakeRemove(connection, screen),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the users of your tenant.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/users", ct), (answer, _) =>
            screen.Table(["name", "role", "password", "made", "disabled", "last sign-in"],
                answer.As(ApiJson.Default.UserListAnswer).Data.Select(user => new[]
                {
                    user.Name, user.Role, user.HasPassword ? "chosen" : "none", Screen.Time(user.CreatedAt), Screen.Time(user.DisabledAt),
                    Screen.Time(user.LastSignInAt),
                })));
        return command;
    }

    static Command MakeAdd(ConnectionOptions connection, Screen screen)
    {
        var name = NameArgument();
        var role = new Option<string>("--role") { Description = "viewer, operator or admin. Default: viewer.", DefaultValueFactory = _ => "viewer" };
        role.AcceptOnlyFromAmong(Roles);
        var command = new Command("add", "Lets somebody sign in, and shows the link by which the password is chosen.") { name, role };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync("/users", new JsonObject
        {
            ["name"] = parsed.GetRequiredValue(name),
            ["role"] = parsed.GetRequiredValue(role),
        }.ToJsonString(), ct), (answer, _) => Show(answer, screen));
        return command;
    }

    static Command MakeRole(ConnectionOptions connection, Screen screen)
    {
        var name = NameArgument();
        var role = new Argument<string>("role") { Description = "viewer, operator or admin." };
        role.AcceptOnlyFromAmong(Roles);
        var command = new Command("role", "Gives a user another role.") { name, role };
        connection.Asks(command, screen, async (server, parsed, ct) => await server.PatchAsync(
            $"/users/{await IdAsync(server, parsed.GetRequiredValue(name), ct)}",
            new JsonObject { ["role"] = parsed.GetRequiredValue(role) }.ToJsonString(), ct), (answer, _) => Show(answer, screen));
        return command;
    }

    static Command MakeChange(
        ConnectionOptions connection, Screen screen, string verb, string description,
        Func<ServerClient, string, CancellationToken, Task<Answer>> change)
    {
        var name = NameArgument();
        var command = new Command(verb, description) { name };
        connection.Asks(command, screen, async (server, parsed, ct) =>
            await change(server, await IdAsync(server, parsed.GetRequiredValue(name), ct), ct), (answer, _) => Show(answer, screen));
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var name = NameArgument();
        var command = new Command("remove", "Removes a user and ends the sessions.") { name };
        connection.Asks(command, screen, async (server, parsed, ct) =>
            await server.DeleteAsync($"/users/{await IdAsync(server, parsed.GetRequiredValue(name), ct)}", ct),
            (_, parsed) => screen.Line($"{Screen.Printable(parsed.GetRequiredValue(name))} is removed."));
        return command;
    }

    static Argument<string> NameArgument() => new("name") { Description = "What is typed to sign in, such as an email address." };

    /// <summary>Throws <see cref="CommandFailure"/> where there is no such user.</summary>
    static async Task<string> IdAsync(ServerClient server, string name, CancellationToken ct)
    {
        var users = (await server.GetAsync("/users", ct)).As(ApiJson.Default.UserListAnswer).Data;
        return users.FirstOrDefault(user => string.Equals(user.Name, name, StringComparison.OrdinalIgnoreCase))?.Id
            ?? throw new CommandFailure(CommandFailure.Failed, $"there is no user {Screen.Printable(name)}; postrider users list shows those there are");
    }

    static void Show(Answer answer, Screen screen)
    {
        var user = answer.As(ApiJson.Default.UserAnswer);
        screen.Line($"{Screen.Printable(user.Name)} is {user.Role}{(user.DisabledAt is null ? "" : ", disabled")}.");
        if (user.Link is not { } link)
            return;
        screen.Line($"link  {link}");
        screen.Line("By it the password is chosen, once, within a day. Whoever has it can.");
    }
}
