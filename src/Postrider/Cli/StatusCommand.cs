using System.CommandLine;
using System.Globalization;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>status ID</c>: what became of a message, and how.</summary>
static class StatusCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var id = new Argument<string>("id") { Description = "The message's id, as the answer to its submission had it." };
        var command = new Command("status", "Shows what became of a message, and how.") { id };
        connection.Asks(
            command, screen, (server, parsed, ct) => server.GetAsync($"/emails/{MessageIdOf(parsed.GetRequiredValue(id))}", ct),
            (answer, _) => Show(answer.AsEmail(), screen));
        return command;
    }

    /// <summary>Only a UUID may become part of an address; throws <see cref="CommandFailure"/> for anything else.</summary>
    public static string MessageIdOf(string text) =>
        Guid.TryParseExact(text, "D", out var id) ? id.ToString()
            : throw CommandFailure.Usage($"\"{Screen.Printable(text)}\" is no id of a message");

    static void Show(EmailAnswer email, Screen screen)
    {
        screen.Line($"{email.Id}  {Screen.State(email.Status, email.StatusReason)}");
        screen.Line($"from {email.From}, subject \"{email.Subject}\", accepted {Screen.Time(email.CreatedAt)}");
        screen.Console.Write(Screen.Recipients(email));
        screen.Table(["when", "what", "for", "where", "reply", "took"], Timeline(email).OrderBy(row => row.At).Select(row => row.Cells));
    }

    static IEnumerable<(DateTimeOffset At, string?[] Cells)> Timeline(EmailAnswer email)
    {
        yield return (email.CreatedAt, [Screen.Time(email.CreatedAt), "accepted", "", "", "", ""]);
        foreach (var attempt in email.Attempts ?? [])
            yield return (attempt.At,
            [
                Screen.Time(attempt.At), $"attempt: {ApiJson.Word(attempt.Outcome)}", Who(attempt.Recipients, email), attempt.Transport,
                Screen.Reply(attempt.Code, attempt.EnhancedCode, attempt.Text),
                    string.Create(CultureInfo.InvariantCulture, $"{attempt.DurationMs} ms"),
            ]);
        foreach (var fact in email.Events ?? [])
            yield return (fact.At, [Screen.Time(fact.At), fact.Type, Who(fact.Recipients, email), "", fact.Remark, ""]);
    }

    static string Who(IReadOnlyList<string> recipients, EmailAnswer email) => recipients.Count switch
    {
        0 => "all",
        var count when count == email.Recipients.Count && count > 1 => "all",
        1 => recipients[0],
        var count => string.Create(CultureInfo.InvariantCulture, $"{recipients[0]} and {count - 1} more"),
    };
}
