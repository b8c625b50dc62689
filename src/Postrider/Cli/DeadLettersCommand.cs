using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.DeadLetters;
using Postrider.Messages;

namespace Postrider.Cli;

/// <summary><c>dead-letters list|groups|redrive|discard|jobs</c>.</summary>
static class DeadLettersCommand
{
    static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(200);

    public static Command Make(ConnectionOptions connection, Screen screen) =>
        new("dead-letters", "Shows what failed, expired or is held, and sends it again or lets it be.")
        {
            MakeList(connection, screen), MakeGroups(connection, screen),
            MakeOrder(connection, screen, RedriveAction.Redrive, "Sends letters again, so many in a second."),
            MakeOrder(connection, screen, RedriveAction.Discard, "Takes letters off the list for good; what is held is cancelled."),
            MakeJobs(connection, screen),
        };

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var filter = new FilterOptions();
        var limit = new Option<int>("--limit") { Description = "1 to 100. Default: 20.", DefaultValueFactory = _ => 20 };
        var after = new Option<string?>("--after") { Description = "The last id of the page before." };
        var command = new Command("list", "Lists dead letters, the newest mail first.") { limit, after };
        filter.AddTo(command);
        connection.Asks(command, screen, (server, parsed, ct) => server.GetAsync(
            $"/dead-letters?limit={parsed.GetValue(limit).ToString(CultureInfo.InvariantCulture)}{filter.Query(parsed)}"
                + (parsed.GetValue(after) is { } id ? $"&after={Uri.EscapeDataString(id)}" : ""), ct), (answer, _) =>
        {
            var page = answer.As(ApiJson.Default.DeadLetterListAnswer);
            screen.Table(["id", "recipient", "state", "reason", "transport", "tries", "since", "last attempt"],
                page.Data.Select(letter => new[]
                {
                    letter.Id, letter.Email, ApiJson.Word(letter.Status),
                    Screen.Reply(letter.StatusCode, letter.EnhancedCode, letter.Reason), letter.Transport,
                    letter.Tries.ToString(CultureInfo.InvariantCulture), Screen.Time(letter.At), Screen.Time(letter.LastAttemptAt),
                }));
            if (page.Next is not null)
                screen.Line($"There are more: --after {page.Next}");
        });
        return command;
    }

    static Command MakeGroups(ConnectionOptions connection, Screen screen)
    {
        var filter = new FilterOptions();
        var command = new Command("groups", "Counts dead letters by what they died of, and where.");
        filter.AddTo(command);
        connection.Asks(command, screen, (server, parsed, ct) =>
            server.GetAsync($"/dead-letters/groups?{filter.Query(parsed).TrimStart('&')}", ct), (answer, _) =>
            screen.Table(["letters", "state", "reason", "transport", "transient", "first", "last attempt"],
                answer.As(ApiJson.Default.DeadLetterGroupsAnswer).Data.Select(group => new[]
                {
                    group.Count.ToString(CultureInfo.InvariantCulture), ApiJson.Word(group.Status),
                    Screen.Reply(group.StatusCode, group.EnhancedCode, group.Reason), group.Transport, group.Transient ? "yes" : "no",
                    Screen.Time(group.FirstAt), Screen.Time(group.LastAttemptAt),
                })));
        return command;
    }

    static Command MakeOrder(ConnectionOptions connection, Screen screen, RedriveAction action, string description)
    {
        var filter = new FilterOptions();
        var ids = new Argument<string[]>("id") { Description = "Ids of letters, as the list shows them, or of messages: all letters of each.", Arity = ArgumentArity.ZeroOrMore };
        var all = new Option<bool>("--all") { Description = "Every letter there is." };
        var rate = new Option<int>("--per-second") { Description = "1 to 10,000. Default: 100.", DefaultValueFactory = _ => 100 };
        var yes = new Option<bool>("--yes") { Description = "Really --all: what is discarded cannot be sent again." };
        var command = new Command(ApiJson.Word(action), description) { ids, all, rate };
        filter.AddTo(command);
        if (action == RedriveAction.Discard)
            command.Options.Add(yes);
        command.SetAction(async (parsed, ct) =>
        {
            var named = parsed.GetValue(ids) ?? [];
            var chosen = filter.Body(parsed);
            if ((named.Length > 0 ? 1 : 0) + (chosen.Count > 0 ? 1 : 0) + (parsed.GetValue(all) ? 1 : 0) != 1)
                throw CommandFailure.Usage("say which letters: ids, or options such as --reason, or --all");
            if (action == RedriveAction.Discard && parsed.GetValue(all) && !parsed.GetValue(yes)
                && !screen.Asks("Every dead letter is discarded, and cannot be sent again. Really?"))
                throw CommandFailure.Usage("to discard every letter cannot be undone: say --yes");
            using var server = connection.Open(parsed);
            var body = new JsonObject { ["per_second"] = parsed.GetValue(rate) };
            if (named.Length > 0)
                body["ids"] = new JsonArray([.. (await LettersAsync(server, named, ct)).Select(id => JsonValue.Create(id))]);
            else if (chosen.Count > 0)
                body["filter"] = chosen;
            else
                body["all"] = true;
            var answer = await server.PostAsync($"/dead-letters/{ApiJson.Word(action)}", body.ToJsonString(), ct);
            answer = await EndAsync(server, answer, ct);
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
                screen.Line(Words(answer.As(ApiJson.Default.DeadLetterJobAnswer).Count, action));
            return 0;
        });
        return command;
    }

    /// <summary>The letters of messages, in place of those.</summary>
    static async Task<IReadOnlyList<string>> LettersAsync(ServerClient server, IReadOnlyList<string> ids, CancellationToken ct)
    {
        var letters = new List<string>();
        foreach (var id in ids)
        {
            if (!MessageId.TryParse(id, out var message))
            {
                letters.Add(id);
                continue;
            }
            var recipients = (await server.GetAsync($"/emails/{message}", ct)).AsEmail().Recipients;
            var dead = recipients.Index().Where(one => one.Item.Status.IsDeadLetter)
                .Select(one => new RecipientId(message, one.Index).ToString()).ToList();
            if (dead.Count == 0)
                throw new CommandFailure(CommandFailure.Failed, $"{message} has no dead letter: none of its recipients failed, expired or is held");
            letters.AddRange(dead);
        }
        return letters;
    }

    static string Words(long count, RedriveAction action) =>
        $"{count.ToString(CultureInfo.InvariantCulture)} {(count == 1 ? "letter is" : "letters are")} "
        + (action == RedriveAction.Redrive ? "sent again." : "discarded.");

    static Command MakeJobs(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("jobs", "Lists what was ordered for many letters, and how far it is.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/dead-letters/jobs", ct), (answer, _) =>
            screen.Table(["id", "action", "state", "letters", "per second", "by", "made", "ended"],
                answer.As(ApiJson.Default.DeadLetterJobListAnswer).Data.Select(job => new[]
                {
                    job.Id, ApiJson.Word(job.Action), ApiJson.Word(job.Status), job.Count.ToString(CultureInfo.InvariantCulture),
                    job.PerSecond.ToString(CultureInfo.InvariantCulture), job.CreatedBy, Screen.Time(job.CreatedAt),
                    Screen.Time(job.EndedAt),
                })));
        return command;
    }

    /// <summary>The job goes on without us; whoever stops waiting loses nothing.</summary>
    static async Task<Answer> EndAsync(ServerClient server, Answer answer, CancellationToken ct)
    {
        while (answer.As(ApiJson.Default.DeadLetterJobAnswer) is { Status: RedriveState.Running } job)
        {
            await Task.Delay(BetweenLooks, TimeProvider.System, ct);
            answer = await server.GetAsync($"/dead-letters/jobs/{job.Id}", ct);
        }
        return answer;
    }

    /// <summary>The options that choose letters.</summary>
    sealed class FilterOptions
    {
        readonly Option<string?>[] _options =
        [
            new("--status") { Description = "failed, expired or held." },
            new("--reason") { Description = "As groups shows it." },
            new("--transport") { Description = "Where it was tried last." },
            new("--transient") { Description = "true: what it died of may be over by now." },
            new("--from") { Description = "On the list since this instant or later." },
            new("--until") { Description = "On the list since before this instant." },
        ];

        public void AddTo(Command command)
        {
            foreach (var option in _options)
                command.Options.Add(option);
        }

        public string Query(ParseResult parsed) =>
            string.Concat(Given(parsed).Select(one => $"&{one.Name}={Uri.EscapeDataString(one.Value)}"));

        public JsonObject Body(ParseResult parsed) =>
            new(Given(parsed).Select(one => KeyValuePair.Create(one.Name, (JsonNode?)JsonValue.Create(one.Value))));

        IEnumerable<(string Name, string Value)> Given(ParseResult parsed)
        {
            foreach (var option in _options)
                if (parsed.GetValue(option) is { } value)
                    yield return (option.Name.TrimStart('-'), value);
        }
    }
}
