using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>tail</c>: what happens, as it happens.</summary>
static class TailCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var type = new Option<string?>("--type") { Description = "Only these events: email.bounced,email.failed or email.*" };
        var email = new Option<string?>("--email") { Description = "Only of the message with this id." };
        var tag = new Option<string?>("--tag") { Description = "Only of messages with this tag." };
        var after = new Option<string?>("--after") { Description = "From this place on: the id of an event of the stream." };
        var count = new Option<int?>("--count") { Description = "End after so many events. Default: never." };
        var command = new Command("tail", "Shows events as they happen, until interrupted.") { type, email, tag, after, count };
        command.SetAction(async (parsed, ct) =>
        {
            if (parsed.GetValue(count) is < 1)
                throw CommandFailure.Usage("--count must be 1 or more");
            var query = string.Join('&', new[]
            {
                ("type", parsed.GetValue(type)), ("email", parsed.GetValue(email)), ("tag", parsed.GetValue(tag)),
            }.Where(p => p.Item2 is not null).Select(p => $"{p.Item1}={Uri.EscapeDataString(p.Item2!)}"));
            using var server = connection.Open(parsed);
            var show = connection.WantsJson(parsed) ? (Action<string>)screen.Line : data => Show(data, screen);
            await FollowAsync(server, "/events/stream?" + query, parsed.GetValue(after), parsed.GetValue(count), show, ct);
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>A stream that breaks off is opened again where it was.</summary>
    static async Task FollowAsync(
        ServerClient server, string path, string? place, int? count, Action<string> show, CancellationToken ct)
    {
        var (left, failures) = (count ?? int.MaxValue, 0);
        while (left > 0)
        {
            try
            {
                await foreach (var (id, data) in server.StreamAsync(path, place, ct))
                {
                    (place, failures) = (id, 0);
                    if (data is null)
                        continue;
                    show(data);
                    if (--left == 0)
                        return;
                }
            }
            catch (CommandFailure away) when (away.ExitCode == ExitCodes.Unavailable && place is not null && failures < MostFailures)
            {
                failures++;
            }
            await Task.Delay(ComeBackAfter, TimeProvider.System, ct);
        }
    }

    const int MostFailures = 30;
    static readonly TimeSpan ComeBackAfter = TimeSpan.FromSeconds(2);

    static void Show(string json, Screen screen)
    {
        using var document = JsonDocument.Parse(json);
        var (happened, data) = (document.RootElement, document.RootElement.GetProperty("data"));
        string? Text(string name) =>
            data.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        int? code = data.TryGetProperty("code", out var given) && given.TryGetInt32(out var number) ? number : null;
        var to = data.TryGetProperty("to", out var all) && all.ValueKind == JsonValueKind.Array
            ? string.Join(", ", all.EnumerateArray().Take(3).Select(a => a.GetString())) : Text("webhook_id");
        var at = DateTimeOffset.Parse(happened.GetProperty("created_at").GetString()!, CultureInfo.InvariantCulture);
        var words = new[] { Text("transport"), Screen.Reply(code, Text("enhanced_code"), Text("text")), Text("reason") };
        screen.Line($"{Screen.Time(at)}  {happened.GetProperty("type").GetString(),-18}  {to}  {Text("email_id")}  "
            + string.Join(": ", words.Where(w => !string.IsNullOrEmpty(w)).Distinct()));
    }
}
