using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Retention;

namespace Postrider.Cli;

/// <summary><c>erase EMAIL --yes</c>: forgets a person, and waits until it is done or only open mail is left.</summary>
static class EraseCommand
{
    static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(200);

    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var email = new Argument<string>("email") { Description = "The person's address." };
        var yes = new Option<bool>("--yes") { Description = "Really: it cannot be undone." };
        var command = new Command("erase", "Forgets a person in all that is stored; the address stays suppressed where it was.") { email, yes };
        command.SetAction(async (parsed, ct) =>
        {
            if (!parsed.GetValue(yes))
                throw CommandFailure.Usage("an erasure cannot be undone: say --yes");
            using var server = connection.Open(parsed);
            var answer = await server.PostAsync(
                "/erasures", new JsonObject { ["email"] = parsed.GetRequiredValue(email) }.ToJsonString(), ct);
            while (answer.As(ApiJson.Default.ErasureAnswer) is { Status: ErasureState.Running, Waiting: 0 } job)
            {
                await Task.Delay(BetweenLooks, TimeProvider.System, ct);
                answer = await server.GetAsync($"/erasures/{job.Id}", ct);
            }
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
                Tell(screen, answer.As(ApiJson.Default.ErasureAnswer));
            return 0;
        });
        return command;
    }

    static void Tell(Screen screen, ErasureAnswer erasure)
    {
        screen.Line(string.Create(CultureInfo.InvariantCulture,
            $"{Screen.Count(erasure.Messages, "message")} and {Screen.Count(erasure.OtherRows, "other row")} erased. "
                + $"In place of the address: {erasure.Pseudonym}"));
        if (erasure.Waiting > 0)
            screen.Line(string.Create(CultureInfo.InvariantCulture,
                $"Still open, as it goes to others too: {Screen.Count(erasure.Waiting, "message")}. "
                + $"Erasure {erasure.Id} goes on when that has ended."));
    }
}
