using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Messages;

namespace Postrider.Cli;

/// <summary><c>transports list</c>, <c>transports test NAME --to ADDRESS</c>, <c>transports callbacks</c>.</summary>
static class TransportsCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new("transports", "Lists and tests transports.")
    {
        MakeList(connection, screen), MakeTest(connection, screen), MakeCallbacks(connection, screen),
    };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Shows how every transport is doing.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/transports", ct), (answer, _) =>
            screen.Table(["name", "kind", "state", "in flight", "attempts", "last error"],
                answer.As(ApiJson.Default.TransportListAnswer).Data.Select(transport => new[]
                {
                    transport.Name, transport.Scheme, transport.State,
                    string.Create(CultureInfo.InvariantCulture, $"{transport.InFlight} of {transport.Concurrency}"),
                    transport.Tries.ToString(CultureInfo.InvariantCulture),
                    transport.LastErrors is [var last, ..]
                        ? $"{Screen.Time(last.At)} {Screen.Reply(last.Code, last.EnhancedCode, last.Text)}" : "",
                })));
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
