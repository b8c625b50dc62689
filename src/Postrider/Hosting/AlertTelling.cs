using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Alerts;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Webhooks;

namespace Postrider.Hosting;

/// <summary>Tells of alerts by mail, by webhook and by a program, whichever are set.</summary>
/// <remarks>At least once: a node may end between telling and writing down that it has, and then another tells it again. So everything that
/// is told bears the alert's id, and a repetition has the same.</remarks>
sealed partial class AlertTelling(
    AlertOptions options, TransportProbe probe, Router router, OutboundHttp http, TimeProvider clock, ILogger<AlertTelling> log)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // By who tells only, which is one loop. Whom an alert has reached that not all have heard of: they are not told again.
    readonly Dictionary<(AlertKind, string), (AlertState State, HashSet<string> Ways)> _reached = [];

    /// <summary>False: somebody has not heard of it. Who has is not told again by this node.</summary>
    public async Task<bool> TellAsync(Alert alert, CancellationToken ct)
    {
        var key = (alert.Kind, alert.Subject);
        if (!_reached.TryGetValue(key, out var reached) || reached.State != alert.State)
            _reached[key] = reached = (alert.State, []);
        var all = true;
        foreach (var (way, tell) in Ways(alert).Where(one => !reached.Ways.Contains(one.Way)))
        {
            var isReached = await GuardedAsync(way, () => tell(ct), ct);
            if (isReached)
                reached.Ways.Add(way);
            all &= isReached;
        }
        if (all)
            _reached.Remove(key);
        return all;
    }

    /// <summary>Each throws where it does not reach.</summary>
    IEnumerable<(string Way, Func<CancellationToken, Task> Tell)> Ways(Alert alert)
    {
        if (EmailAddress.TryParse(options.MailFrom, out var from, out _))
        {
            var place = 0;
            foreach (var address in ConfigurationRules.Split(options.MailTo))
                if (EmailAddress.TryParse(address, out var to, out _))
                    yield return (string.Create(CultureInfo.InvariantCulture, $"mail {++place}"),
                        ct => MailAsync(alert, new Mailbox(null, from), new Mailbox(null, to), ct));
        }
        if (options.Webhook.Length > 0)
            yield return ("webhook", ct => PostAsync(alert, ct));
        if (options.Command.Length > 0)
            yield return ("program", ct => RunAsync(alert, ct));
    }

    /// <summary>Past the queue, which may be what is wrong, and by another transport than the one it is about while there is one.</summary>
    async Task MailAsync(Alert alert, Mailbox from, Mailbox to, CancellationToken ct)
    {
        var subject = $"Postrider: {(alert.State == AlertState.Raised ? "" : "over: ")}{OneLine(alert.Words)}";
        var text = $"{alert.Words}.\n\n{alert.Remedy}\n\nFirst seen {alert.FirstSeenAt:u}, last seen {alert.LastSeenAt:u}.\n"
            + $"Alert {alert.Id}: a second mail about the same has the same id.\n";
        HeaderField.TryCreate("X-Alert-Id", TellingId(alert), out var id, out _);
        var content = new MessageContent { From = from, Subject = subject, Text = text, Headers = [id!] };
        // Those that work first; the one in question last, for want of another.
        var ways = router.Table.Transports.Where(transport => transport.Options.Owner is null && transport.Options.Fault is null)
            .OrderBy(transport => transport.Key == alert.Subject).ThenBy(transport => !transport.IsHealthy);
        foreach (var transport in ways)
        {
            using var patience = new CancellationTokenSource(Patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ct);
            var result = await probe.SendAsync(transport.Name, TenantId.First, content, to, either.Token);
            if (result?.Outcome.Kind == OutcomeKind.Accepted)
                return;
            LogNotMailed(transport.Name, result?.Outcome.Kind);
        }
        throw new InvalidOperationException("no transport took it");
    }

    /// <summary>As a reply of several lines cannot be in a subject.</summary>
    static string OneLine(string text) => string.Concat(text.Select(one => char.IsControl(one) ? ' ' : one));

    /// <summary>The way of webhooks, and where they may go.</summary>
    async Task PostAsync(Alert alert, CancellationToken ct)
    {
        var answer = await http.PostAsync(TenantId.First, new Uri(options.Webhook), [new("webhook-id", TellingId(alert))],
            Encoding.UTF8.GetBytes(Json(alert)), ct);
        if (answer.Error is { } error)
            throw new InvalidOperationException(error);
    }

    async Task RunAsync(Alert alert, CancellationToken ct)
    {
        using var program = Process.Start(new ProcessStartInfo(options.Command) { RedirectStandardInput = true, UseShellExecute = false })
            ?? throw new InvalidOperationException("it did not start");
        using var patience = new CancellationTokenSource(Patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ct);
        try
        {
            await program.StandardInput.WriteAsync(Json(alert).AsMemory(), either.Token);
            program.StandardInput.Close();
            await program.WaitForExitAsync(either.Token);
        }
        finally
        {
            if (!program.HasExited)
                program.Kill(entireProcessTree: true);
        }
        if (program.ExitCode != 0)
            throw new InvalidOperationException($"it ended with {program.ExitCode}");
    }

    async Task<bool> GuardedAsync(string way, Func<Task> tell, CancellationToken ct)
    {
        try
        {
            await tell();
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LogNotTold(way, e.Message);
            return false;
        }
    }

    /// <summary>Of one thing that is told, in all its repetitions.</summary>
    static string TellingId(Alert alert) => $"{alert.Id}-{alert.State.ToString().ToLowerInvariant()}";

    internal static string Json(Alert alert) => JsonSerializer.Serialize(new ToldAlert(
        alert.Id ?? "", alert.State == AlertState.Raised ? "alert.raised" : "alert.resolved", Word(alert.Kind), alert.Subject, alert.Words, alert.Remedy,
        alert.FirstSeenAt, alert.RaisedAt, alert.ResolvedAt), ToldAlertJson.Default.ToldAlert);

    public static string Word(AlertKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    [LoggerMessage(LogLevel.Warning, "An alert could not be told by the {Way}, and is again in two minutes: {Reason}")]
    partial void LogNotTold(string way, string reason);

    [LoggerMessage(LogLevel.Warning, "The mail of an alert was not taken by {Transport}: {Outcome}")]
    partial void LogNotMailed(string transport, OutcomeKind? outcome);
}

/// <summary>What a webhook and a program get.</summary>
/// <param name="Id">Of the alert, the same when it is resolved; what is told twice has the same id and type twice.</param>
/// <param name="Type">alert.raised or alert.resolved.</param>
sealed record ToldAlert(string Id, string Type, string Kind, string Subject, string Text, string Remedy, DateTimeOffset FirstSeenAt,
    DateTimeOffset? RaisedAt, DateTimeOffset? ResolvedAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ToldAlert))]
sealed partial class ToldAlertJson : JsonSerializerContext;

/// <summary>Watches on every node.</summary>
sealed class AlertHost(AlertWatch watch) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => watch.RunAsync(stoppingToken);
}

/// <summary>Puts the alerts into the process.</summary>
static class AlertRegistration
{
    public static void AddAlerts(this IServiceCollection services, PostriderOptions options)
    {
        services.AddSingleton<IAlertStore, Storage.Tables.AlertTables>();
        services.AddSingleton<AlertTelling>();
        services.AddSingleton<AlertTeller>(sp => sp.GetRequiredService<AlertTelling>().TellAsync);
        services.AddSingleton(sp =>
        {
            var disk = new DriveInfo(Stores.FolderOf(options) ?? Path.GetFullPath(options.Data));
            return new AlertPlace(sp.GetRequiredService<Storage.StorageOptions>().NodeName, () => FreeBytes(disk));
        });
        services.AddSingleton<AlertWatch>();
        services.AddHostedService<AlertHost>();
    }

    static long? FreeBytes(DriveInfo disk)
    {
        try
        {
            return disk.AvailableFreeSpace;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
