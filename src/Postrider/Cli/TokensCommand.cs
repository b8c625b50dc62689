using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>tokens create|check</c>: short-lived credentials in place of an API key.</summary>
static class TokensCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) =>
        new("tokens", "Makes short-lived tokens for the key in use, and looks at one.")
        {
            MakeCreate(connection, screen), MakeCheck(connection, screen),
        };

    static Command MakeCreate(ConnectionOptions connection, Screen screen)
    {
        var expires = new Option<string?>("--expires-in") { Description = "How long it is valid, such as 15m. Default: the server's." };
        var scopes = new Option<string[]>("--scope")
        {
            Description = "send, read, manage or admin, of those that the key has; several times. Default: all that it has.",
        };
        scopes.AcceptOnlyFromAmong("send", "read", "manage", "admin");
        var command = new Command("create", "Makes a token of the key in use. It dies with the key.") { expires, scopes };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var body = new JsonObject();
            if (parsed.GetValue(expires) is { } span)
                body["expires_in"] = span;
            if (parsed.GetValue(scopes) is { Length: > 0 } some)
                body["scopes"] = new JsonArray([.. some.Select(scope => JsonValue.Create(scope))]);
            return server.PostAsync("/tokens", body.ToJsonString(), ct);
        }, (answer, _) =>
        {
            var made = answer.As(ApiJson.Default.TokenAnswer);
            screen.Line(made.Token);
            screen.Line($"valid until {Screen.Time(made.ExpiresAt)} for {string.Join(", ", made.Scopes)}");
        });
        return command;
    }

    static Command MakeCheck(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("check", "Says whether the token or key in use is valid: exit code 0, else 1.");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var answer = await server.GetAsync("/tokens", ct);
            var status = answer.As(ApiJson.Default.TokenStatusAnswer);
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
                screen.Line(status.Valid
                    ? $"valid{(status.ExpiresAt is { } ends ? $" until {Screen.Time(ends)}" : "")} for {string.Join(", ", status.Scopes)}"
                    : $"not valid: {status.Reason}");
            return status.Valid ? ExitCodes.Ok : CommandFailure.Failed;
        });
        return command;
    }
}
