using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>routes list|add|remove</c>.</summary>
static class RoutesCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("routes", "Lists, adds and removes routes.")
    {
        MakeList(connection, screen), MakeAdd(connection, screen), MakeRemove(connection, screen),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the routes that mail may go by.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/routes", ct), (answer, _) =>
            screen.Table(["name", "strategy", "transports", "rules", "whose", "from"],
                answer.As(ApiJson.Default.RouteListAnswer).Data.Select(route => new[]
                {
                    route.Name, ApiJson.Word(route.Strategy), string.Join(' ', route.Transports),
                    string.Join("; ", route.Rules.Select(Words)), route.Shared ? "shared" : "own", route.Source,
                })));
        return command;
    }

    static string Words(RouteRuleAnswer rule) => string.Join(" and ", new[]
    {
        rule.Stream, rule.Tag is { } tag ? $"tag {tag}" : null, rule.SenderDomain is { } from ? $"from {from}" : null,
        rule.RecipientDomain is { } to ? $"to {to}" : null,
    }.OfType<string>());

    static Command MakeAdd(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "default is what mail goes by otherwise." };
        var transports = new Argument<string[]>("transports")
        {
            Description = "In the order of preference.",
            Arity = ArgumentArity.OneOrMore,
        };
        var strategy = new Option<string?>("--strategy") { Description = "priority (default), sticky, round_robin or weighted." };
        var stream = new Option<string?>("--stream") { Description = "Takes mail of this stream." };
        var tag = new Option<string?>("--tag") { Description = "Takes mail with this tag." };
        var from = new Option<string?>("--from-domain") { Description = "Takes mail from this domain." };
        var to = new Option<string?>("--to-domain") { Description = "Takes mail to this domain alone." };
        var shared = new Option<bool>("--shared") { Description = "For all tenants." };
        var command = new Command("add", "Adds a route; of several conditions all must fit.")
        {
            name, transports, strategy, stream, tag, from, to, shared,
        };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var rule = new JsonObject
            {
                ["stream"] = parsed.GetValue(stream),
                ["tag"] = parsed.GetValue(tag),
                ["sender_domain"] = parsed.GetValue(from),
                ["recipient_domain"] = parsed.GetValue(to),
            };
            return server.PostAsync("/routes", new JsonObject
            {
                ["name"] = parsed.GetRequiredValue(name),
                ["transports"] = new JsonArray([.. parsed.GetRequiredValue(transports).Select(one => (JsonNode)one)]),
                ["strategy"] = parsed.GetValue(strategy),
                ["rules"] = rule.All(part => part.Value is null) ? new JsonArray() : new JsonArray(rule),
                ["shared"] = parsed.GetValue(shared),
            }.ToJsonString(), ct);
        }, (answer, _) => screen.Line($"Route {answer.As(ApiJson.Default.RouteAnswer).Name} is in force."));
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "As routes list shows it." };
        var move = new Option<bool>("--move-waiting") { Description = "What waits on it goes by the default route." };
        var command = new Command("remove", "Removes a route on which nothing waits.") { name, move };
        connection.Asks(command, screen, (server, parsed, ct) => server.DeleteAsync(
            $"/routes/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}{(parsed.GetValue(move) ? "?waiting=default" : "")}", ct),
            (_, parsed) => screen.Line($"Route {parsed.GetRequiredValue(name)} is gone."));
        return command;
    }
}
