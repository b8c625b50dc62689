using Postrider.Api;
using Spectre.Console;

namespace Postrider.Cli;

/// <summary>Shows a message's state until it ends: a table that moves on a terminal, a line per change elsewhere.</summary>
sealed class Waiting(ServerClient server, Screen screen, bool json, TimeProvider clock)
{
    static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan LongestBetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>The exit code: 0 complete, 1 failed, 75 still open when the time was over.</summary>
    public async Task<int> UntilEndedAsync(string id, TimeSpan limit, CancellationToken ct)
    {
        var (answer, email) = (default(Answer), default(EmailAnswer));
        if (screen.IsTerminal && !json)
            await screen.Console.Live(new Text(id)).StartAsync(async live =>
                (answer, email) = await LookAsync(id, limit, seen => live.UpdateTarget(Screen.Recipients(seen)), ct));
        else
            (answer, email) = await LookAsync(id, limit, json ? static _ => { } : PrintChanges(), ct);

        if (json)
            screen.Json(answer!);
        else
            screen.Line($"{id}  {Screen.State(email!.Status, email.StatusReason)}");
        return email!.Status switch { "complete" => 0, "failed" => CommandFailure.Failed, _ => CommandFailure.NotYet };
    }

    async Task<(Answer, EmailAnswer)> LookAsync(string id, TimeSpan limit, Action<EmailAnswer> show, CancellationToken ct)
    {
        var start = clock.GetTimestamp();
        for (var pause = FirstLook; ; pause = pause * 1.5 < LongestBetweenLooks ? pause * 1.5 : LongestBetweenLooks)
        {
            var answer = await server.GetAsync($"/emails/{id}", ct);
            var email = answer.AsEmail();
            show(email);
            if (email.Status != "incomplete" || clock.GetElapsedTime(start) >= limit)
                return (answer, email);
            await Task.Delay(pause, clock, ct);
        }
    }

    Action<EmailAnswer> PrintChanges()
    {
        var last = new Dictionary<string, string>();
        return email =>
        {
            foreach (var recipient in email.Recipients)
            {
                var now = $"{recipient.Email}  {ApiJson.Word(recipient.Status)}{(recipient.WaitingFor is { } reason ? $" ({reason})" : "")}"
                    + (recipient.StatusCode is null ? ""
                        : $"  {Screen.Reply(recipient.StatusCode, recipient.EnhancedCode, recipient.StatusReason)}");
                if (last.GetValueOrDefault(recipient.Email) == now)
                    continue;
                last[recipient.Email] = now;
                screen.Line(now);
            }
        };
    }
}
