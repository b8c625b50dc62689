using System.CommandLine;
using System.Globalization;
using Postrider.Api;

namespace Postrider.Cli;

/// <summary><c>list</c>: the newest messages, filtered.</summary>
static class ListCommand
{
    const int MostPerPage = 100;

    public static Command Make(ConnectionOptions connection, Screen screen)
    {
        var state = new Option<string?>("--state") { Description = "Any recipient in this state: queued, sent, bounced, …" };
        var address = new Option<string?>("--address") { Description = "To this address." };
        var tag = new Option<string?>("--tag") { Description = "With this tag." };
        var limit = new Option<int>("--limit")
        {
            Description = $"At most so many, 1 to {MostPerPage}. Default: 20.",
            DefaultValueFactory = _ => 20,
        }.Within(1, MostPerPage);
        var command = new Command("list", "Lists the newest messages.") { state, address, tag, limit };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var query = Query(("state", parsed.GetValue(state)), ("address", parsed.GetValue(address)), ("tag", parsed.GetValue(tag)),
                ("limit", parsed.GetValue(limit).ToString(CultureInfo.InvariantCulture)));
            return server.GetAsync("/emails?" + query, ct);
        }, (answer, _) => Show(answer.As(ApiJson.Default.EmailListAnswer), screen));
        return command;
    }

    static void Show(EmailListAnswer list, Screen screen)
    {
        screen.Table(["id", "accepted", "status", "to", "subject"], list.Data.Select(email => new[]
        {
            email.Id, Screen.Time(email.CreatedAt), Screen.State(email.Status, email.StatusReason),
            email.Recipients.Count > 1
                ? string.Create(CultureInfo.InvariantCulture, $"{email.Recipients[0].Email} and {email.Recipients.Count - 1} more")
                : email.Recipients[0].Email,
            email.Subject,
        }));
        if (list.HasMore)
            screen.Line("There are more.");
    }

    static string Query(params (string Name, string? Value)[] parameters) =>
        string.Join('&', parameters.Where(parameter => parameter.Value is not null)
            .Select(parameter => $"{parameter.Name}={Uri.EscapeDataString(parameter.Value!)}"));
}
