using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Alerts;
using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Hosting;

/// <summary>Tells of alerts by mail, by webhook and by a program, whichever are set.</summary>
sealed partial class AlertTelling(
    AlertOptions options, TransportProbe probe, Router router, TimeProvider clock, ILogger<AlertTelling> log) : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    readonly HttpClient _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
    })
    { Timeout = Patience };

    /// <summary>False: somebody has not heard of it.</summary>
    public async Task<bool> TellAsync(Alert alert, CancellationToken ct)
    {
        var mailed = await MailAsync(alert, ct);
        var posted = options.Webhook.Length == 0 || await GuardedAsync("webhook", () => PostAsync(alert, ct), ct);
        var ran = options.Command.Length == 0 || await GuardedAsync("program", () => RunAsync(alert, ct), ct);
        return mailed && posted && ran;
    }

    /// <summary>Past the queue, which may be what is wrong, and by another transport than the one it is about while there is one.</summary>
    async Task<bool> MailAsync(Alert alert, CancellationToken ct)
    {
        if (!EmailAddress.TryParse(options.MailFrom, out var from, out _))
            return true;
        var subject = $"Postrider: {(alert.State == AlertState.Raised ? "" : "over: ")}{alert.Words}";
        var text = $"{alert.Words}.\n\n{alert.Remedy}\n\nFirst seen {alert.FirstSeenAt:u}, last seen {alert.LastSeenAt:u}.\n";
        var all = true;
        foreach (var address in ConfigurationRules.Split(options.MailTo))
        {
            if (EmailAddress.TryParse(address, out var to, out _))
                all &= await MailAsync(alert, new Mailbox(null, from), new Mailbox(null, to), subject, text, ct);
        }
        return all;
    }

    async Task<bool> MailAsync(Alert alert, Mailbox from, Mailbox to, string subject, string text, CancellationToken ct)
    {
        // Those that work first; the one in question last, for want of another.
        var ways = router.Table.Transports.Where(transport => transport.Options.Owner is null && transport.Options.Fault is null)
            .OrderBy(transport => transport.Key == alert.Subject).ThenBy(transport => !transport.IsHealthy);
        foreach (var transport in ways)
        {
            using var patience = new CancellationTokenSource(Patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ct);
            var result = await probe.SendAsync(transport.Name, TenantId.First, from, to, subject, text, either.Token);
            if (result?.Outcome.Kind == OutcomeKind.Accepted)
                return true;
            LogNotMailed(transport.Name, result?.Outcome.Kind);
        }
        return false;
    }

    async Task PostAsync(Alert alert, CancellationToken ct)
    {
        using var content = new StringContent(Json(alert), Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri(options.Webhook), content, ct);
        answer.EnsureSuccessStatusCode();
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
        catch (Exception e) when (e is HttpRequestException or InvalidOperationException or Win32Exception or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LogNotTold(way, e.Message);
            return false;
        }
    }

    internal static string Json(Alert alert) => JsonSerializer.Serialize(new ToldAlert(
        alert.State == AlertState.Raised ? "alert.raised" : "alert.resolved", Word(alert.Kind), alert.Subject, alert.Words, alert.Remedy,
        alert.FirstSeenAt, alert.RaisedAt, alert.ResolvedAt), ToldAlertJson.Default.ToldAlert);

    public static string Word(AlertKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    public void Dispose() => _http.Dispose();

    [LoggerMessage(LogLevel.Warning, "An alert could not be told by the {Way}, and is again in two minutes: {Reason}")]
    partial void LogNotTold(string way, string reason);

    [LoggerMessage(LogLevel.Warning, "The mail of an alert was not taken by {Transport}: {Outcome}")]
    partial void LogNotMailed(string transport, OutcomeKind? outcome);
}

/// <summary>What a webhook and a program get.</summary>
/// <param name="Type">alert.raised or alert.resolved.</param>
sealed record ToldAlert(string Type, string Kind, string Subject, string Text, string Remedy, DateTimeOffset FirstSeenAt,
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
