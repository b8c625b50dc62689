using System.CommandLine;
using System.Text.Json.Nodes;
using Postrider.Api;
using Postrider.Senders;

namespace Postrider.Cli;

/// <summary><c>dkim new|list|check|activate|remove</c>: sender domains and the keys that sign for them.</summary>
static class DkimCommand
{
    public static Command Make(ConnectionOptions connection, Screen screen) =>
        new("dkim", "Makes, lists, checks and removes the DKIM keys of sender domains.")
        {
            MakeNew(connection, screen), MakeList(connection, screen), MakeCheck(connection, screen), MakeActivate(connection, screen),
            MakeRemove(connection, screen),
        };

    static Argument<string> Domain() => new("domain") { Description = "The domain after the @ of the sender: example.com." };

    static Command MakeNew(ConnectionOptions connection, Screen screen)
    {
        var domain = Domain();
        var selector = new Option<string?>("--selector") { Description = "Names the key in the DNS. Default: a random one." };
        var subdomains = new Option<bool>("--subdomains") { Description = "Sign for names below the domain too; when the domain is new." };
        var command = new Command("new", "Makes a key for a domain and prints the DNS record to publish.") { domain, selector, subdomains };
        connection.Asks(command, screen, async (server, parsed, ct) =>
        {
            var name = parsed.GetRequiredValue(domain);
            var known = (await server.GetAsync("/domains", ct)).As(ApiJson.Default.DomainListAnswer).Data
                .FirstOrDefault(other => other.Name.Equals(name.TrimEnd('.'), StringComparison.OrdinalIgnoreCase));
            if (known is not null && parsed.GetValue(subdomains) && !known.Subdomains)
                throw CommandFailure.Usage($"{known.Name} is there already, without --subdomains: remove it first");
            var body = new JsonObject { ["selector"] = parsed.GetValue(selector) };
            if (known is null)
                (body["name"], body["subdomains"]) = (name, parsed.GetValue(subdomains));
            return await server.PostAsync(known is null ? "/domains" : $"{Path(known.Name)}/keys", body.ToJsonString(), ct);
        }, (answer, _) => ShowNew(answer.As(ApiJson.Default.DomainAnswer), screen));
        return command;
    }

    static void ShowNew(DomainAnswer domain, Screen screen)
    {
        var key = domain.Keys.MaxBy(key => key.CreatedAt)!;
        screen.Line("Publish this record in the DNS (as in a zone file; web forms mostly want name and text without the quotes):");
        screen.Line("");
        screen.Line($"{key.Record.Name}. 3600 IN TXT (");
        foreach (var part in key.Record.Strings)
            screen.Line($"    \"{part}\"");
        screen.Line(")");
        screen.Line("");
        screen.Line($"Then: postrider dkim check {domain.Name}");
        screen.Line(domain.SigningSelector is { } signing
            ? $"Until the check has seen it, the key {signing} goes on signing."
            : "Until the check has seen it, mail from the domain is not signed.");
    }

    static Command MakeList(ConnectionOptions connection, Screen screen)
    {
        var command = new Command("list", "Lists the sender domains and their keys.");
        connection.Asks(command, screen, (server, _, ct) => server.GetAsync("/domains", ct), (answer, _) =>
            screen.Table(["domain", "verified", "selector", "key", "made", "checked"],
                answer.As(ApiJson.Default.DomainListAnswer).Data.SelectMany(domain => domain.Keys.DefaultIfEmpty().Select(key => new[]
                {
                    domain.Subdomains ? $"{domain.Name} and below" : domain.Name, domain.Verified ? "yes" : "no", key?.Selector ?? "",
                    State(domain, key), Screen.Time(key?.CreatedAt), Screen.Time(domain.CheckedAt),
                }))));
        return command;
    }

    static string State(DomainAnswer domain, DomainKeyAnswer? key) =>
        key is null ? "none"
        : key.Selector == domain.SigningSelector ? "signs"
        : key.ActiveAt is null ? "record not seen yet" : "was used before";

    static Command MakeCheck(ConnectionOptions connection, Screen screen)
    {
        var domain = Domain();
        var command = new Command("check", "Asks the DNS about a domain; a key whose record is there signs from then on.") { domain };
        command.SetAction(async (parsed, ct) =>
        {
            using var server = connection.Open(parsed);
            var answer = await server.PostAsync($"{Path(parsed.GetRequiredValue(domain))}/check", "{}", ct);
            var result = answer.As(ApiJson.Default.DomainAnswer);
            if (connection.WantsJson(parsed))
                screen.Json(answer);
            else
            {
                screen.Table(["what", "where", "state", ""],
                    result.Checks.Select(check => new[] { ApiJson.Word(check.Kind), check.Name, ApiJson.Word(check.State), check.Detail }));
                var signed = result.SigningSelector is { } selector ? $"signed with the key {selector}" : "not signed";
                screen.Line($"{result.Name} is {(result.Verified ? "" : "not ")}verified; its mail is {signed}.");
            }
            return result.Checks.All(check => check.State == DnsCheckState.Ok) ? 0 : CommandFailure.Failed;
        });
        return command;
    }

    static Command MakeActivate(ConnectionOptions connection, Screen screen)
    {
        var (domain, selector) = (Domain(), Selector());
        var command = new Command("activate", "Lets a key sign although its record was not seen, where the server cannot ask the DNS.")
        {
            domain, selector,
        };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var key = Uri.EscapeDataString(parsed.GetRequiredValue(selector));
            return server.PostAsync($"{Path(parsed.GetRequiredValue(domain))}/keys/{key}/activate", "{}", ct);
        }, (_, parsed) => screen.Line($"The key {parsed.GetRequiredValue(selector)} signs now."));
        return command;
    }

    static Command MakeRemove(ConnectionOptions connection, Screen screen)
    {
        var domain = Domain();
        var selector = new Argument<string?>("selector") { Arity = ArgumentArity.ZeroOrOne, Description = "Only this key of the domain." };
        var command = new Command("remove", "Forgets a domain with its keys, or one key of it.") { domain, selector };
        connection.Asks(command, screen, (server, parsed, ct) =>
        {
            var (name, key) = (parsed.GetRequiredValue(domain), parsed.GetValue(selector));
            return server.DeleteAsync(key is null ? Path(name) : $"{Path(name)}/keys/{Uri.EscapeDataString(key)}", ct);
        }, (_, parsed) => screen.Line(parsed.GetValue(selector) is { } key
            ? $"The key {key} of {parsed.GetRequiredValue(domain)} is forgotten. Leave its record published for some days."
            : $"{parsed.GetRequiredValue(domain)} is forgotten. Leave its records published for some days: mail they signed may still be on its way."));
        return command;
    }

    static Argument<string> Selector() => new("selector") { Description = "The key's selector, as dkim list shows it." };

    static string Path(string domain) => $"/domains/{Uri.EscapeDataString(domain)}";
}
