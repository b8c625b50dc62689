using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Hosting;

namespace Postrider.Cli;

/// <summary><c>suppressions list|add|remove|import|export</c>.</summary>
static class SuppressionsCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) =>
        new("suppressions", "Shows and changes the addresses that get no mail.")
        {
            MakeList(connection, screen), MakeAdd(connection, screen), MakeRemove(connection, screen), MakeImport(connection, screen),
            MakeExport(connection, screen),
        };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var email = new Option<string?>("--email") { Description = "Of this address." };
        var cause = new Option<string?>("--cause") { Description = "bounced, complained, unsubscribed or manual." };
        var limit = new Option<int>("--limit") { Description = "1 to 100. Default: 20.", DefaultValueFactory = _ => 20 }.Within(1, 100);
        var after = new Option<string?>("--after") { Description = "Where the page before ended." };
        var command = new Command("list", "Lists them, newest first.") { email, cause, limit, after };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(
            $"/suppressions?limit={parsed.GetValue(limit).ToString(CultureInfo.InvariantCulture)}"
                + Of("email", parsed.GetValue(email)) + Of("cause", parsed.GetValue(cause)) + Of("after", parsed.GetValue(after)), ct),
            (answer, _) =>
        {
            var page = answer.As(ApiJson.Default.SuppressionListAnswer);
            screen.Table(["address", "mail", "cause", "reason", "since", "until"], page.Data.Select(one => new[]
            {
                one.Email ?? "(erased)", StreamOf(one), ApiJson.Word(one.Cause), one.Reason, Screen.Time(one.CreatedAt),
                one.ExpiresAt is { } until ? Screen.Time(until) : "for good",
            }));
            if (page.Next is not null)
                screen.Line($"There are more: --after {page.Next}");
        });
        return command;
    }

    static Command MakeAdd(ConnectionOptions connection, Screen screen)
    {
        var email = new Argument<string>("email") { Description = "The address." };
        var stream = new Option<string?>("--stream") { Description = "transactional or bulk. Default: all mail." };
        var reason = new Option<string?>("--reason") { Description = "Shown to people." };
        var expires = new Option<string?>("--expires-at") { Description = "An instant; from then on it is mailed again. Default: never." };
        var command = new Command("add", "Stops mail to an address.") { email, stream, reason, expires };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync("/suppressions", new JsonObject
        {
            ["email"] = parsed.GetValue(email),
            ["stream"] = parsed.GetValue(stream),
            ["reason"] = parsed.GetValue(reason),
            ["expires_at"] = parsed.GetValue(expires),
        }.ToJsonString(), ct), (answer, _) =>
        {
            var one = answer.As(ApiJson.Default.SuppressionAnswer);
            screen.Line($"{one.Email} gets no mail any more ({StreamOf(one)}).");
        });
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var email = new Argument<string>("email") { Description = "The address." };
        var stream = new Option<string?>("--stream") { Description = "Only what holds for this stream. Default: all of it." };
        var command = new Command("remove", "Takes an address off the list: it gets mail again.") { email, stream };
        connection.Asks(command, screen, (server, parsed, ct) => server.DeleteAsync(
            $"/suppressions/{Uri.EscapeDataString(parsed.GetRequiredValue(email))}?"
                + Of("stream", parsed.GetValue(stream)).TrimStart('&'), ct),
            (_, parsed) => screen.Line($"{parsed.GetValue(email)} gets mail again."));
        return command;
    }

    static Command MakeImport(ConnectionOptions connection, Screen screen)
    {
        var file = new Argument<FileInfo>("file")
        {
            Description = "CSV with a header: email, and where wanted stream, cause, reason, expires_at.",
        };
        var map = new Option<string[]>("--map") { Description = "FIELD:COLUMN where a column has another name, such as email:E-Mail." };
        var command = new Command("import", "Adds the addresses of a file, of any length.") { file, map };
        connection.Asks(command, screen, async (server, parsed, ct) =>
        {
            var source = parsed.GetRequiredValue(file);
            if (!source.Exists)
                throw CommandFailure.Usage($"there is no file {source.FullName}");
            await using var content = source.OpenRead();
            var query = string.Concat((parsed.GetValue(map) ?? []).Select(m => Of("map", m)));
            return await screen.ProgressAsync("import", connection.WantsJson(parsed), async step =>
            {
                await using var counted = new CountedStream(content, step);
                return await server.UploadAsync($"/suppressions/import?{query.TrimStart('&')}", counted, "text/csv", null, ct);
            });
        }, (answer, _) =>
        {
            var done = answer.As(ApiJson.Default.UploadAnswer);
            foreach (var error in done.Errors)
                screen.Line($"line {error.Line}: {error.Detail}");
            screen.Line($"{done.Accepted} addresses are on the list, {done.Refused} lines were refused.");
        });
        return command;
    }

    static Command MakeExport(ConnectionOptions connection, Screen screen)
    {
        var file = new Argument<FileInfo>("file") { Description = "Where to write; what is there is replaced." };
        var command = new Command("export", "Writes all of them to a CSV file.") { file };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var (to, isQuiet) = (parsed.GetRequiredValue(file), connection.WantsJson(parsed));
            await screen.ProgressAsync("export", isQuiet, async step =>
            {
                await ReplaceAsync(to, stream => server.DownloadAsync(HttpMethod.Get, "/suppressions?format=csv", stream, step, ct));
                return true;
            });
            to.Refresh();
            if (isQuiet)
                screen.Json(new JsonObject { ["file"] = to.FullName, ["bytes"] = to.Length });
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>Beside it first: what is there stays until all of the new one is.</summary>
    static async Task ReplaceAsync(FileInfo file, Func<Stream, Task> write)
    {
        var beside = $"{file.FullName}.{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}.part";
        try
        {
            await using (var to = new FileStream(beside, FileMode.CreateNew))
                await write(to);
            File.Move(beside, file.FullName, overwrite: true);
        }
        finally
        {
            File.Delete(beside);
        }
    }

    static string Of(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    static string StreamOf(SuppressionAnswer one) => one.Stream is { } stream ? ApiJson.Word(stream) : "all mail";
}
