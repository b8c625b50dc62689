using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>keys list|create|revoke|requests</c>.</summary>
static class KeysCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("keys", "Lists, makes and revokes API keys; shows what was refused to them.")
    {
        MakeList(connection, screen), MakeCreate(connection, screen), MakeRevoke(connection, screen), MakeRequests(connection, screen),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the API keys, the revoked and expired too.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/keys", ct), (answer, _) =>
            screen.Table(["id", "name", "kind", "scopes", "made", "expires", "revoked", "last used"],
                answer.As(ApiJson.Default.KeyListAnswer).Data.Select(key => new[]
                {
                    key.Id, key.Name, key.Kind, string.Join(", ", key.Scopes), Screen.Time(key.CreatedAt), Screen.Time(key.ExpiresAt),
                    Screen.Time(key.RevokedAt), Screen.Time(key.LastUsedAt),
                })));
        return command;
    }

    static Command MakeCreate(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "What the key is for." };
        var scopes = new Option<string[]>("--scope")
        {
            Description = "send, read, manage or admin; several times. Default: send and read.",
            DefaultValueFactory = _ => ["send", "read"],
        };
        scopes.AcceptOnlyFromAmong("send", "read", "manage", "admin");
        var kind = new Option<string>("--kind") { Description = "bearer or sigv4. Default: bearer.", DefaultValueFactory = _ => "bearer" };
        kind.AcceptOnlyFromAmong("bearer", "sigv4");
        var expires = new Option<string?>("--expires-at") { Description = "An instant such as 2027-01-31T09:30:00Z. Default: never." };
        var command = new Command("create", "Makes an API key and shows its secret, this once.") { name, scopes, kind, expires };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var body = new JsonObject
            {
                ["name"] = parsed.GetRequiredValue(name),
                ["kind"] = parsed.GetRequiredValue(kind),
                ["scopes"] = new JsonArray([.. parsed.GetRequiredValue(scopes).Select(scope => JsonValue.Create(scope))]),
                ["expires_at"] = parsed.GetValue(expires),
            };
            return server.PostAsync("/keys", body.ToJsonString(), ct);
        }, (answer, _) => Show(answer.As(ApiJson.Default.NewKeyAnswer), screen));
        return command;
    }

    static void Show(NewKeyAnswer key, Screen screen)
    {
        screen.Line($"id      {key.Id}");
        if (key.AccessKeyId is not null)
            screen.Line($"access  {key.AccessKeyId}");
        screen.Line($"secret  {key.Key ?? key.Secret}");
        screen.Line("The secret is shown only this once: keep it.");
    }

    static Command MakeRequests(ConnectionOptions connection, Screen screen)
    {
        var key = new Argument<string?>("key") { Description = "A key's id or name. Default: all keys.", DefaultValueFactory = _ => null };
        var command = new Command("requests", "Shows the calls that were refused or failed, newest first.") { key };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(
            parsed.GetValue(key) is { } one ? $"/requests?limit=100&key={Uri.EscapeDataString(one)}" : "/requests?limit=100", ct), (answer, _) =>
            screen.Table(["at", "key", "call", "status", "problem", "where", "times", "detail"],
                answer.As(ApiJson.Default.RequestListAnswer).Data.Select(call => new[]
                {
                    Screen.Time(call.At), call.Key, call.Call, call.Status.ToString(CultureInfo.InvariantCulture), call.Problem,
                    string.Join(" ", call.Errors.Select(fault => fault.Pointer)), call.Times.ToString(CultureInfo.InvariantCulture),
                    call.Detail,
                })));
        return command;
    }

    static Command MakeRevoke(ConnectionOptions connection, Screen screen)
    {
        var id = new Argument<string>("id") { Description = "The key's id, as keys list shows it." };
        var command = new Command("revoke", "Ends a key, and every token made from it.") { id };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var key = parsed.GetRequiredValue(id);
            return key.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_') ? server.DeleteAsync($"/keys/{key}", ct)
                : throw CommandFailure.Usage($"\"{Screen.Printable(key)}\" is no id of a key");
        }, (_, parsed) => screen.Line($"Key {parsed.GetRequiredValue(id)} is revoked."));
        return command;
    }
}
