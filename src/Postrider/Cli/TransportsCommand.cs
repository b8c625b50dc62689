using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Messages;

namespace Postrider.Cli;

/// <summary><c>transports list|add|pause|resume|remove</c>, <c>transports test NAME --to ADDRESS</c>,
/// <c>transports callbacks</c>.</summary>
static class TransportsCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("transports", "Lists, adds, tests, pauses and removes transports.")
    {
        MakeList(connection, screen), MakeAdd(connection, screen), MakeTest(connection, screen),
        MakeSwitch(connection, screen, "pause", "Starts no more attempts at a transport; its mail waits or takes another of its route."),
        MakeSwitch(connection, screen, "resume", "Ends its pause."),
        MakeRemove(connection, screen), MakeCallbacks(connection, screen),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Shows how every transport is doing.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/transports", ct), (answer, _) =>
            screen.Table(["name", "kind", "whose", "state", "in flight", "attempts", "last error"],
                answer.As(ApiJson.Default.TransportListAnswer).Data.Select(transport => new[]
                {
                    transport.Name, transport.Scheme, transport.Shared ? "shared" : "own", transport.State,
                    InFlight(transport),
                    transport.Tries.ToString(CultureInfo.InvariantCulture),
                    transport.Fault ?? (transport.LastErrors is [var last, ..]
                        ? $"{Screen.Time(last.At)} {last.Node}: {Screen.Reply(last.Code, last.EnhancedCode, last.Text)}" : ""),
                })));
        return command;
    }

    /// <summary>The limit is each node's own.</summary>
    static string InFlight(TransportAnswer transport)
    {
        var nodes = transport.Nodes.Count(node => node.Alive);
        var text = string.Create(CultureInfo.InvariantCulture, $"{transport.InFlight} of {transport.Concurrency}");
        return nodes > 1 ? string.Create(CultureInfo.InvariantCulture, $"{text} x {nodes}") : text;
    }

    static Command MakeAdd(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "a-z, 0-9, '-', '_' and '.'." };
        var dsn = new Argument<string>("dsn")
        {
            Description = "smtp://user:password@host:587?option=value; - reads it from the input, so that no list of processes shows it.",
        };
        var shared = new Option<bool>("--shared") { Description = "For all tenants." };
        var command = new Command("add", "Adds a transport, which is in force on all nodes within a second.") { name, dsn, shared };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync("/transports", new JsonObject
        {
            ["name"] = parsed.GetRequiredValue(name),
            ["dsn"] = parsed.GetRequiredValue(dsn) is not "-" and var given ? given : Console.In.ReadLine()?.Trim() ?? "",
            ["shared"] = parsed.GetValue(shared),
        }.ToJsonString(), ct), (answer, _) =>
        {
            var added = answer.As(ApiJson.Default.TransportAnswer);
            screen.Line($"Transport {added.Name} is in force.");
            if (added.Note is not null)
                screen.Line(added.Note);
        });
        return command;
    }

    static Command MakeSwitch(ConnectionOptions connection, Screen screen, string verb, string description)
    {
        var name = new Argument<string>("name") { Description = "As transports list shows it." };
        var command = new Command(verb, description) { name };
        connection.Asks(command, screen,
            (server, parsed, ct) => server.PostAsync($"/transports/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/{verb}", "{}", ct),
            (answer, parsed) => screen.Line(
                $"Transport {parsed.GetRequiredValue(name)}: {answer.As(ApiJson.Default.TransportAnswer).State}."));
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "As transports list shows it." };
        var command = new Command("remove", "Removes a transport that no route names.") { name };
        connection.Asks(command, screen, (server, parsed, ct) => server.DeleteAsync(
            $"/transports/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}", ct),
            (_, parsed) => screen.Line($"Transport {parsed.GetRequiredValue(name)} is gone."));
        return command;
    }

    static Command MakeCallbacks(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("callbacks", "Shows where each transport's provider is to report to: paste it there. It holds a secret.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/transports", ct), (answer, _) =>
            screen.Table(["name", "kind", "callback address"],
                answer.As(ApiJson.Default.TransportListAnswer).Data.Where(transport => transport.CallbackUrl is not null)
                    .Select(transport => new[] { transport.Name, transport.Scheme, transport.CallbackUrl! })));
        return command;
    }

    static Command MakeTest(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "The transport's name, as transports list shows it." };
        var to = new Option<string>("--to") { Required = true, Description = "Where the test mail goes." };
        var from = new Option<string?>("--from") { Description = "Its sender. Default: the same address." };
        var command = new Command("test",
            "Sends one mail through exactly this transport, past the queue, and shows what the other side said.") { name, to, from };
        command.SetAction(async (parsed, ct) =>
        {
            var body = new JsonObject { ["to"] = parsed.GetRequiredValue(to), ["from"] = parsed.GetValue(from) };
            using var server = connection.Open(parsed);
            var answer = await server.PostAsync($"/transports/{Uri.EscapeDataString(parsed.GetRequiredValue(name))}/test",
                body.ToJsonString(), ct);
            var result = answer.As(ApiJson.Default.TransportTestAnswer);
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
            {
                var reply = Screen.Reply(result.Code, result.EnhancedCode, result.Text);
                screen.Line($"{ApiJson.Word(result.Outcome)} after {result.DurationMs} ms: {reply}");
            }
            return result.Outcome == OutcomeKind.Accepted ? 0 : CommandFailure.Failed;
        });
        return command;
    }
}
