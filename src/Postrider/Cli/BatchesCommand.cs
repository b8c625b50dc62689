using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Spectre.Console;

namespace Postrider.Cli;

/// <summary><c>batches list|show|send|pause|resume|cancel|retry-failed</c>.</summary>
static class BatchesCommand
{
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var list = new Command("list", "Lists the newest batches.");
        connection.Asks(list, screen, (server, _, ct) => server.GetAsync("/batches?limit=100", ct), (answer, _) =>
            screen.Table(["id", "state", "destinations", "expanded", "failed", "from", "subject", "made"],
                answer.As(ApiJson.Default.BatchListAnswer).Data.Select(batch => new[]
                {
                    batch.Id, batch.Paused ? $"{batch.State}, paused" : batch.State, $"{batch.Count:N0}", $"{batch.Progress.Expanded:N0}",
                    $"{batch.Progress.Failed + batch.Progress.Refused:N0}", batch.From, batch.Subject, Screen.Time(batch.CreatedAt),
                })));
        return new Command("batches", "Sends to many, and watches, pauses, cancels and sends again what was sent to many.")
        {
            list, MakeShow(connection, screen), MakeSend(connection, screen),
            MakeChange("pause", "Lets nothing of it leave until it is resumed.", connection, screen),
            MakeChange("resume", "Goes on with a paused batch.", connection, screen),
            MakeChange("cancel", "Ends what of it was not sent.", connection, screen),
            MakeChange("retry-failed", "Sends what failed, expired or is held again.", connection, screen),
        };
    }

    static Argument<string> Id() => new("id") { Description = "The batch's id." };

    static string PathOf(ParseResult parsed, Argument<string> id) => MessageId.TryParse(parsed.GetRequiredValue(id), out var batch)
        ? $"/batches/{batch}" : throw CommandFailure.Usage($"\"{Screen.Printable(parsed.GetRequiredValue(id))}\" is no id of a batch");

    static Command MakeShow(ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var watch = new Option<bool>("--watch") { Description = "Shows the progress until every recipient has ended." };
        var command = new Command("show", "Shows how a batch is doing, and its first errors.") { id, watch };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var path = PathOf(parsed, id);
            if (parsed.GetValue(watch) && !connection.WantsJson(parsed))
                await WatchAsync(server, path, screen, ct);
            await ShowAsync(server, path, screen, connection.WantsJson(parsed), ct);
            return ExitCodes.Ok;
        });
        return command;
    }

    static Command MakeChange(string name, string what, ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var command = new Command(name, what) { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync($"{PathOf(parsed, id)}/{name}", "", ct), (answer, _) =>
        {
            var said = JsonNode.Parse(answer.Json)!;
            screen.Line((string?)said["reason"] ?? ((int?)said["recipients"] is { } count
                ? $"{count:N0} recipients" : $"The batch is {(string?)said["state"]}{((bool?)said["paused"] == true ? ", paused" : "")}."));
        });
        return command;
    }

    static Command MakeSend(ConnectionOptions connection, Screen screen)
    {
        var from = new Option<string>("--from") { Description = "The sender.", Required = true };
        var subject = new Option<string?>("--subject") { Description = "Left out, the template's." };
        var text = new Option<string?>("--text") { Description = "The body as plain text." };
        var html = new Option<FileInfo?>("--html") { Description = "A file with the body as HTML." };
        var template = new Option<string?>("--template") { Description = "A stored template, filled in with each line's data." };
        var file = new Option<FileInfo>("--csv") { Description = "Destinations: CSV with a header, or .ndjson.", Required = true };
        var map = new Option<string[]>("--map") { Description = "FIELD:COLUMN where a column has another name, such as email:E-Mail." };
        var key = new Option<string?>("--idempotency-key")
        {
            Description = "The same again sends nothing twice, and goes on where it broke.",
        };
        var watch = new Option<bool>("--watch") { Description = "Shows the progress until every recipient has ended." };
        var command = new Command("send", "Sends one content to every line of a file.")
        {
            from, subject, text, html, template, file, map, key, watch,
        };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var content = new JsonObject
            {
                ["from"] = parsed.GetRequiredValue(from),
                ["subject"] = parsed.GetValue(subject),
                ["text"] = parsed.GetValue(text),
                ["html"] = parsed.GetValue(html) is { } page ? await File.ReadAllTextAsync(Existing(page).FullName, ct) : null,
                ["template"] = parsed.GetValue(template),
            };
            var destinations = Existing(parsed.GetRequiredValue(file));
            var own = parsed.GetValue(key);
            var made = (await server.PostAsync("/batches", content.ToJsonString(), ct, own)).As(ApiJson.Default.BatchRefAnswer);
            var query = string.Concat((parsed.GetValue(map) ?? []).Select(m => $"&map={Uri.EscapeDataString(m)}"));
            var type = destinations.Extension is ".ndjson" or ".jsonl" ? "application/x-ndjson" : "text/csv";
            var path = $"/batches/{made.Id}";
            // One that was begun by an earlier call with this key is only shown.
            if (made.State == "filling")
            {
                var upload = $"{path}/destinations?start=true{query}";
                var added = await UploadAsync(server, upload, destinations, type, own ?? made.Id, screen, ct);
                foreach (var error in added.Errors)
                    screen.Line($"line {error.Line}: {error.Detail}");
            }
            if (parsed.GetValue(watch))
                await WatchAsync(server, path, screen, ct);
            await ShowAsync(server, path, screen, connection.WantsJson(parsed), ct);
            return ExitCodes.Ok;
        });
        return command;
    }

    static FileInfo Existing(FileInfo file) => file.Exists ? file : throw CommandFailure.Usage($"there is no file {file.FullName}");

    static async Task<UploadAnswer> UploadAsync(
        ServerClient server, string path, FileInfo file, string type, string key, Screen screen, CancellationToken ct)
    {
        await using var content = file.OpenRead();
        var sending = server.UploadAsync(path, content, type, key, ct);
        await ShowProgressAsync(screen, "reading", async bar =>
        {
            bar.MaxValue = Math.Max(1, file.Length);
            while (await Task.WhenAny(sending, Task.Delay(LookAgain / 4, TimeProvider.System, ct)) != sending)
                bar.Value = Math.Min(content.CanRead ? content.Position : file.Length, file.Length);
            bar.Value = bar.MaxValue;
        });
        return (await sending).As(ApiJson.Default.UploadAnswer);
    }

    static Task WatchAsync(ServerClient server, string path, Screen screen, CancellationToken ct) =>
        ShowProgressAsync(screen, "ended", async bar =>
        {
            while (true)
            {
                var batch = (await server.GetAsync(path, ct)).As(ApiJson.Default.BatchStatusAnswer);
                var open = batch.Counts.Scheduled + batch.Counts.Queued + batch.Counts.Leased + batch.Counts.Unknown;
                bar.MaxValue = Math.Max(1, batch.Count);
                bar.Value = Math.Max(0, batch.Progress.Expanded + batch.Progress.Failed - open);
                if (batch.Status != "incomplete")
                    return;
                await Task.Delay(LookAgain, TimeProvider.System, ct);
            }
        });

    /// <summary>A bar on a terminal; nothing in a pipe.</summary>
    static Task ShowProgressAsync(Screen screen, string what, Func<ProgressTask, Task> work) => screen.IsTerminal
        ? screen.Console.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(),
            new RemainingTimeColumn()).StartAsync(context => work(context.AddTask(what)))
        : work(new ProgressTask(0, what, 1));

    static async Task ShowAsync(ServerClient server, string path, Screen screen, bool asJson, CancellationToken ct)
    {
        var answer = await server.GetAsync(path, ct);
        if (asJson)
        {
            screen.Json(answer);
            return;
        }
        var batch = answer.As(ApiJson.Default.BatchStatusAnswer);
        screen.Line($"{batch.Id}  {batch.Status} ({batch.State}{(batch.Paused ? ", paused" : "")})");
        if (batch.WaitingFor is { } waitingFor)
            screen.Line($"The rest waits for {waitingFor}.");
        var counts = JsonNode.Parse(answer.Json)!["counts"]!.AsObject().Where(c => (long)c.Value! > 0);
        screen.Line($"{batch.Progress.Expanded:N0} of {batch.Count:N0} destinations are messages: "
            + string.Join(", ", counts.Select(c => $"{c.Key} {(long)c.Value!:N0}")));
        if (batch.Progress.Failed + batch.Progress.Refused == 0)
            return;
        var errors = (await server.GetAsync($"{path}/errors?limit=20", ct)).As(ApiJson.Default.DestinationErrorListAnswer);
        screen.Table(["line", "address", "error"], errors.Data.Select(e => new[] { $"{e.Line}", e.Email ?? "", e.Detail }));
    }
}
