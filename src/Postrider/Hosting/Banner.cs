using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Postrider.Dashboard;
using Postrider.Routing;

namespace Postrider.Hosting;

/// <summary>What is printed once when the process is ready: where it is, what it keeps, and a line to paste that sends a mail.</summary>
static class Banner
{
    public static string Of(WebApplication app, LoadedConfiguration configuration)
    {
        var options = configuration.Get<PostriderOptions>();
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        if (options.Log == LogForm.Json)
            return JsonOf(app, options, [.. addresses.Select(ForClients)]) + "\n";
        return Write(
            [.. addresses.Select(ForClients)], Stores.Place(options),
            app.Services.GetRequiredService<FirstKey>().Text, app.Services.GetService<SmtpListener>()?.Addresses ?? [],
            [.. app.Services.GetRequiredService<Router>().Table.Transports.Select(t => $"{t.Name} ({t.Options.Scheme})")],
            hasInbox: app.Services.GetRequiredService<Router>().Table.Transports.Any(t => t.Options.Scheme == "capture"),
            Roles.Of(options.Roles).HasFlag(Role.Dashboard), app.Services.GetRequiredService<FirstLink>().Text, options.PublicUrl,
            takesMail: Roles.Of(options.Roles).HasFlag(Role.Api));
    }

    /// <summary>The same as one line of the log, where the log is read by machines: the key and the link that are shown only once are
    /// fields of it.</summary>
    static string JsonOf(WebApplication app, PostriderOptions options, IReadOnlyList<string> addresses)
    {
        var fields = new JsonObject
        {
            ["addresses"] = ListOf(addresses),
            ["smtp"] = ListOf(app.Services.GetService<SmtpListener>()?.Addresses ?? []),
            ["database"] = Stores.Place(options),
            ["transports"] = ListOf(app.Services.GetRequiredService<Router>().Table.Transports.Select(transport => transport.Name)),
        };
        if (Roles.Of(options.Roles).HasFlag(Role.Dashboard))
        {
            var dashboard = (options.PublicUrl.Length > 0 ? options.PublicUrl.TrimEnd('/') : addresses is [var first, ..] ? first : "")
                + DashboardPipeline.Root;
            fields["dashboard"] = dashboard;
            if (app.Services.GetRequiredService<FirstLink>().Text is { } link)
                fields["first_administrator"] = $"{dashboard}/welcome?link={link}";
        }
        if (app.Services.GetRequiredService<FirstKey>().Text is { } key)
            fields["api_key"] = key;
        return JsonLog.Line(LogLevel.Information, "Ready", $"Postrider listens on {string.Join(" and ", addresses)}", fields);
    }

    static JsonArray ListOf(IEnumerable<string> texts) => [.. texts.Select(text => JsonValue.Create(text))];

    /// <summary>Of a start that failed behind it.</summary>
    public static string KeyAlone(string key, LoadedConfiguration configuration) =>
        configuration.Get<PostriderOptions>().Log == LogForm.Json
            ? JsonLog.Line(LogLevel.Information, "KeyMade", "An API key was made, and the start failed", new JsonObject { ["api_key"] = key })
            : KeyLine(key).TrimStart();

    /// <param name="firstKey">The key that was made just now; null when there were keys.</param>
    /// <param name="firstLink">What makes the first administrator of the dashboard; null when there is one.</param>
    /// <param name="publicUrl">How browsers reach us; empty: as we listen.</param>
    /// <param name="takesMail">It has the role <c>api</c>: without it there is nothing to call here.</param>
    internal static string Write(
        IReadOnlyList<string> addresses, string database, string? firstKey, IReadOnlyList<string> smtp, IReadOnlyList<string> transports,
        bool hasInbox, bool hasDashboard = false, string? firstLink = null, string publicUrl = "", bool takesMail = true)
    {
        var address = addresses.Count > 0 ? addresses[0] : "http://127.0.0.1:8025";
        var key = firstKey ?? "$POSTRIDER_API_KEY";
        var curl = address.StartsWith("https:", StringComparison.Ordinal) ? "curl -sk" : "curl -s";
        List<string> lines =
        [
            "",
            $"Postrider listens on {string.Join(" and ", addresses)}",
            $"  database    {database}",
            transports.Count == 0
                ? "  transports  none: mail is refused until POSTRIDER_TRANSPORTS names one"
                : $"  transports  {string.Join(", ", transports)}",
        ];
        if (smtp.Count > 0)
            lines.Add($"  SMTP        {string.Join(" and ", smtp)}   (any user, an API key as password)");
        if (hasInbox && takesMail)
            lines.Add($"  inbox       {address}/inbox   (capture: mail stays here to be looked at, nothing leaves)");
        if (hasDashboard)
            lines.Add(DashboardLine(publicUrl.Length > 0 ? publicUrl.TrimEnd('/') : address, firstLink));
        if (firstKey is not null)
            lines.Add(KeyLine(firstKey));
        if (transports.Count == 0)
        {
            lines.AddRange("", "Set POSTRIDER_TRANSPORTS and start again:", "",
                "  POSTRIDER_TRANSPORTS=smtp://user:password@mail.example.com:587   sends through your provider",
                "  POSTRIDER_TRANSPORTS=capture://                                  keeps mail in an inbox, to try things out", "");
            return string.Join('\n', lines) + "\n";
        }
        if (!takesMail)
            return string.Join('\n', [.. lines, "  calls       are taken by nodes with the role api; here /readyz answers", ""]) + "\n";
        lines.AddRange(
            "",
            firstKey is null ? "Send a mail (with your API key in POSTRIDER_API_KEY):" : "Send a mail:",
            "",
            $"  {curl} {address}/emails -H \"Authorization: Bearer {key}\" -H 'Content-Type: application/json' \\",
            """    -d '{"from":"you@example.com","to":"ann@example.com","subject":"Hello","text":"It works."}'""",
            "");
        if (hasInbox)
            lines.AddRange("and look at it:", "", $"  {curl} {address}/inbox -H \"Authorization: Bearer {key}\"", "");
        return string.Join('\n', lines) + "\n";
    }

    static string KeyLine(string key) => $"  API key     {key}   (made now and shown only this once: keep it)";

    static string DashboardLine(string address, string? firstLink) => firstLink is null
        ? $"  dashboard   {address}{DashboardPipeline.Root}"
        : $"  dashboard   {address}{DashboardPipeline.Root}/welcome?link={firstLink}   (makes the first administrator: once, within a day)";

    static string ForClients(string address) =>
        address.Replace("://[::]:", "://127.0.0.1:", StringComparison.Ordinal)
            .Replace("://0.0.0.0:", "://127.0.0.1:", StringComparison.Ordinal);
}

/// <summary>What makes the first administrator of the dashboard, while there is none: printed, kept nowhere.</summary>
sealed class FirstLink
{
    public string? Text { get; set; }
}

/// <summary>The API key that this start made, if any: printed once, kept nowhere.</summary>
sealed class FirstKey
{
    public string? Text { get; set; }
}
