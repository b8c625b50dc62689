using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>webhooks list|create|test|deliveries|redeliver|enable|disable|remove</c>.</summary>
static class WebhooksCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("webhooks", "Sends events to URLs of yours.")
    {
        MakeList(connection, screen), MakeCreate(connection, screen), MakeTest(connection, screen), MakeDeliveries(connection, screen),
        MakeRedeliver(connection, screen), MakeSwitch(connection, screen, "enable", true), MakeSwitch(connection, screen, "disable", false),
        MakeRemove(connection, screen),
    };

    static Argument<string> Id => new("id") { Description = "The webhook's id, as webhooks list shows it." };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the webhooks and whether they work.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/webhooks", ct), (answer, _) =>
            screen.Table(["id", "url", "events", "state", "made"],
                answer.As(ApiJson.Default.WebhookListAnswer).Data.Select(webhook => new[]
                {
                    webhook.Id, webhook.Url, webhook.Events.Count == 0 ? "all" : string.Join(", ", webhook.Events), StateOf(webhook),
                    Screen.Time(webhook.CreatedAt),
                })));
        return command;
    }

    static string StateOf(WebhookAnswer webhook) =>
        !webhook.Enabled ? webhook.DisabledReason is { } reason ? $"disabled: {reason}" : "disabled"
        : webhook.FailingSince is { } since ? $"failing since {Screen.Time(since)}" : "works";

    static Command MakeCreate(ConnectionOptions connection, Screen screen)
    {
        var url = new Argument<string>("url") { Description = "Where events go: https://…" };
        var events = new Option<string[]>("--event") { Description = "Name of an event, or email.*; several times. Default: all." };
        var description = new Option<string?>("--description") { Description = "For people." };
        var headers = new Option<string[]>("--header") { Description = "A header field of your own, \"Name: value\"; several times." };
        var command = new Command("create", "Sends events to a URL from now on, and shows the secret that signs them, this once.")
        {
            url, events, description, headers,
        };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var fields = new JsonObject();
            foreach (var header in parsed.GetValue(headers) ?? [])
            {
                var colon = header.IndexOf(':', StringComparison.Ordinal);
                if (colon < 1)
                    throw CommandFailure.Usage($"\"{Screen.Printable(header)}\" is no header field; write \"Name: value\"");
                fields[header[..colon]] = header[(colon + 1)..].Trim();
            }
            var body = new JsonObject
            {
                ["url"] = parsed.GetRequiredValue(url),
                ["events"] = new JsonArray([.. (parsed.GetValue(events) ?? []).Select(e => JsonValue.Create(e))]),
                ["description"] = parsed.GetValue(description),
                ["headers"] = fields,
            };
            return server.PostAsync("/webhooks", body.ToJsonString(), ct);
        }, (answer, _) =>
        {
            var made = answer.As(ApiJson.Default.WebhookAnswer);
            screen.Line($"id      {made.Id}\nsecret  {made.Secret}\nThe secret is shown only this once: keep it.");
        });
        return command;
    }

    static Command MakeTest(ConnectionOptions connection, Screen screen)
    {
        var id = Id;
        var command = new Command("test", "Sends the event webhook.test now and shows what came back.") { id };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var answer = await server.PostAsync($"{Path(parsed.GetRequiredValue(id))}/test", "{}", ct);
            var result = answer.As(ApiJson.Default.WebhookTestAnswer);
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
            {
                var taken = result.Delivered ? "taken" : "not taken";
                screen.Line($"{taken} after {result.DurationMs} ms: {result.Status} {result.Error}".TrimEnd());
            }
            return result.Delivered ? 0 : CommandFailure.Failed;
        });
        return command;
    }

    static Command MakeDeliveries(ConnectionOptions connection, Screen screen)
    {
        var id = Id;
        var state = new Option<string?>("--state") { Description = "waiting, delivered or failed." };
        var limit = new Option<int>("--limit") { Description = "At most so many, 1 to 100. Default: 20.", DefaultValueFactory = _ => 20 }
            .Within(1, 100);
        var command = new Command("deliveries", "Shows what was sent to a webhook and what it answered, newest first.") { id, state, limit };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var filter = parsed.GetValue(state) is { } wanted ? $"&state={Uri.EscapeDataString(wanted)}" : "";
            var most = parsed.GetValue(limit).ToString(CultureInfo.InvariantCulture);
            return server.GetAsync($"{Path(parsed.GetRequiredValue(id))}/deliveries?limit={most}{filter}", ct);
        }, (answer, _) => screen.Table(["id", "event", "made", "state", "tries", "last answer", "next try"],
            answer.As(ApiJson.Default.DeliveryListAnswer).Data.Select(delivery => new[]
            {
                delivery.Id, delivery.Type, Screen.Time(delivery.CreatedAt), delivery.State,
                delivery.Tries.ToString(CultureInfo.InvariantCulture),
                delivery.Attempts is [.., var last] ? $"{last.Status} {last.Error} ({last.DurationMs} ms)".Trim() : "",
                Screen.Time(delivery.NextTryAt),
            })));
        return command;
    }

    static Command MakeRedeliver(ConnectionOptions connection, Screen screen)
    {
        var id = Id;
        var delivery = new Argument<string?>("delivery")
        {
            Description = "Its id, as deliveries shows it; left out with --from.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var from = new Option<string?>("--from") { Description = "All that failed since this instant, such as 2027-01-31T00:00:00Z." };
        var until = new Option<string?>("--until") { Description = "And before this one. Default: now." };
        var command = new Command("redeliver", "Sends a delivery once more, or all that failed in a time.") { id, delivery, from, until };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var path = Path(parsed.GetRequiredValue(id));
            if (parsed.GetValue(delivery) is { } one)
                return server.PostAsync($"{path}/deliveries/{Uri.EscapeDataString(one)}/redeliver", "{}", ct);
            if (parsed.GetValue(from) is not { } since)
                throw CommandFailure.Usage("say which: the id of a delivery, or --from with an instant");
            var body = new JsonObject { ["from"] = since, ["until"] = parsed.GetValue(until) };
            return server.PostAsync($"{path}/redeliver", body.ToJsonString(), ct);
        }, (answer, _) => screen.Line($"{answer.As(ApiJson.Default.RedeliverAnswer).Count} are sent again."));
        return command;
    }

    static Command MakeSwitch(ConnectionOptions connection, Screen screen, string name, bool enabled)
    {
        var id = Id;
        var command = new Command(name, enabled ? "Goes on sending, from where it stopped." : "Sends nothing until it is enabled again.") { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.PatchAsync(
                Path(parsed.GetRequiredValue(id)), new JsonObject { ["enabled"] = enabled }.ToJsonString(), ct),
            (answer, _) => screen.Line($"{answer.As(ApiJson.Default.WebhookAnswer).Id} is {name}d."));
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var id = Id;
        var command = new Command("remove", "Forgets a webhook and its deliveries.") { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.DeleteAsync(Path(parsed.GetRequiredValue(id)), ct),
            (_, parsed) => screen.Line($"{parsed.GetRequiredValue(id)} is removed."));
        return command;
    }

    static string Path(string id) => id.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
        ? $"/webhooks/{id}" : throw CommandFailure.Usage($"\"{Screen.Printable(id)}\" is no id of a webhook");
}
