using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>schedules list|show|create|pause|resume|run|archive|next</c>.</summary>
static class SchedulesCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) => new(
        "schedules", "Mail at a time to come, once or again and again.")
    {
        MakeList(connection, screen), MakeShow(connection, screen), MakeCreate(connection, screen),
        MakeChange(connection, screen, "pause", "Lets nothing come until it is resumed."),
        MakeChange(connection, screen, "resume", "Goes on from now; what would have come meanwhile does not come."),
        MakeRun(connection, screen), MakeArchive(connection, screen), MakeNext(connection, screen),
    };

    static Argument<string> Id() => new("id") { Description = "The schedule's id, as schedules list shows it." };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var state = new Option<string?>("--state") { Description = "active, paused or archived. Default: all." };
        state.AcceptOnlyFromAmong("active", "paused", "archived");
        var command = new Command("list", "Lists the schedules, newest first, at most 100.") { state };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(
            $"/schedules?limit=100{(parsed.GetValue(state) is { } one ? $"&state={one}" : "")}", ct), (answer, _) =>
        {
            var list = answer.As(ApiJson.Default.ScheduleListAnswer);
            screen.Table(["id", "name", "state", "when", "zone", "next"], list.Data.Select(schedule => new[]
            {
                schedule.Id, schedule.Name, ApiJson.Word(schedule.State), When(schedule), schedule.TimeZone,
                schedule.NextRuns is [var next, ..] ? next.Local : "",
            }));
            if (list.HasMore)
                screen.Line("There are more.");
        });
        return command;
    }

    static Command MakeShow(ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var command = new Command("show", "Shows a schedule with its newest runs.") { id };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var path = Path(parsed.GetRequiredValue(id));
            var answer = await server.GetAsync(path, ct);
            if (connection.WantsJson(parsed))
            {
                screen.Json(answer);
                return 0;
            }
            Show(answer.As(ApiJson.Default.ScheduleAnswer), screen);
            var runs = (await server.GetAsync($"{path}/runs?limit=10", ct)).As(ApiJson.Default.ScheduleRunListAnswer);
            if (runs.Data.Count > 0)
                screen.Table(["run", "scheduled for", "state", "ran", "reason"], runs.Data.Select(run => new[]
                {
                    run.Id, run.ByHand ? "by hand" : run.ScheduledFor,
                    run.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $"{ApiJson.Word(run.State)} × {run.Count}") : ApiJson.Word(run.State),
                    Screen.Time(run.RanAt), run.Reason,
                }));
            return 0;
        });
        return command;
    }

    static Command MakeCreate(ConnectionOptions connection, Screen screen)
    {
        var name = new Argument<string>("name") { Description = "For people." };
        var cron = new Option<string?>("--cron") { Description = "A crontab line such as \"0 9 * * 1-5\", or @daily." };
        var at = new Option<string[]>("--at") { Description = "A time such as 2027-01-31T09:30; several times for several." };
        var zone = new Option<string?>("--time-zone") { Description = "Such as Europe/Berlin. Default: UTC." };
        var from = new Option<string>("--from") { Required = true, Description = "The sender." };
        var to = new Option<string[]>("--to") { Description = "A recipient; several times for several." };
        var list = new Option<string?>("--list") { Description = "The id of a stored list, instead of --to." };
        var subject = new Option<string?>("--subject") { Description = "The subject." };
        var text = new Option<string?>("--text") { Description = "The body as plain text." };
        var template = new Option<string?>("--template") { Description = "A stored template, instead of --text." };
        var missed = new Option<string?>("--missed") { Description = "When no server was there: latest (default), skip or all." };
        var command = new Command("create", "Makes a schedule.") { name, cron, at, zone, from, to, list, subject, text, template, missed };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            JsonArray? Texts(Option<string[]> option) =>
                parsed.GetValue(option) is { Length: > 0 } given ? new JsonArray([.. given.Select(one => JsonValue.Create(one))]) : null;
            var body = new JsonObject
            {
                ["name"] = parsed.GetRequiredValue(name),
                ["cron"] = parsed.GetValue(cron),
                ["at"] = Texts(at),
                ["time_zone"] = parsed.GetValue(zone),
                ["missed"] = parsed.GetValue(missed),
                ["list"] = parsed.GetValue(list),
                ["recipients"] = Texts(to),
                ["email"] = new JsonObject
                {
                    ["from"] = parsed.GetRequiredValue(from),
                    ["subject"] = parsed.GetValue(subject),
                    ["text"] = parsed.GetValue(text),
                    ["template"] = parsed.GetValue(template),
                },
            };
            return server.PostAsync("/schedules", body.ToJsonString(), ct);
        }, (answer, _) => Show(answer.As(ApiJson.Default.ScheduleAnswer), screen));
        return command;
    }

    static Command MakeChange(ConnectionOptions connection, Screen screen, string verb, string description)
    {
        var id = Id();
        var command = new Command(verb, description) { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync($"{Path(parsed.GetRequiredValue(id))}/{verb}", "{}", ct),
            (answer, _) => Show(answer.As(ApiJson.Default.ScheduleAnswer), screen));
        return command;
    }

    static Command MakeRun(ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var command = new Command("run", "Sends once now. When it comes next stays as it is.") { id };
        connection.Asks(command, screen, (server, parsed, ct) => server.PostAsync($"{Path(parsed.GetRequiredValue(id))}/run", "{}", ct),
            (answer, _) => screen.Line($"Batch {answer.As(ApiJson.Default.ScheduleRunAnswer).BatchId} is on its way."));
        return command;
    }

    static Command MakeArchive(ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var command = new Command("archive", "Lets it never come again. It stays readable.") { id };
        command.SetAction(async (parsed, ct) =>
        {
            var path = Path(parsed.GetRequiredValue(id));
            using var server = connection.Open(parsed);
            await server.DeleteAsync(path, ct);
            if (!connection.WantsJson(parsed))
                screen.Line("It is archived.");
            return 0;
        });
        return command;
    }

    static Command MakeNext(ConnectionOptions connection, Screen screen)
    {
        var id = Id();
        var limit = new Option<int>("--limit") { Description = "How many, 1 to 100. Default: 10.", DefaultValueFactory = _ => 10 }.Within(1, 100);
        var command = new Command("next", "Shows when it comes next.") { id, limit };
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(string.Create(CultureInfo.InvariantCulture,
            $"{Path(parsed.GetRequiredValue(id))}/next?limit={parsed.GetValue(limit)}"), ct), (answer, _) =>
            screen.Table(["by the clock there", "UTC", "scheduled for"], answer.As(ApiJson.Default.OccurrenceListAnswer).Data.Select(time => new[]
            {
                time.Local, time.At.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), time.ScheduledFor,
            })));
        return command;
    }

    static void Show(ScheduleAnswer schedule, Screen screen)
    {
        screen.Line($"id     {schedule.Id}");
        screen.Line($"name   {schedule.Name}");
        screen.Line($"state  {ApiJson.Word(schedule.State)}");
        screen.Line($"when   {When(schedule)} ({schedule.TimeZone})");
        screen.Line($"next   {(schedule.NextRuns is [var next, ..] ? next.Local : "never")}");
    }

    static string When(ScheduleAnswer schedule) => schedule.Cron ?? schedule.At switch
    {
        [var only] => only,
        [var first, ..] => string.Create(CultureInfo.InvariantCulture, $"{first} and {schedule.At.Count - 1} more"),
        _ => "",
    };

    /// <summary>Throws where it is no id: it must not become another path.</summary>
    static string Path(string id) => id.Length > 0 && id.All(letter => char.IsAsciiHexDigit(letter) || letter == '-')
        ? $"/schedules/{id}" : throw CommandFailure.Usage($"\"{Screen.Printable(id)}\" is no id of a schedule");
}
