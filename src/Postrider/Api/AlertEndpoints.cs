using Postrider.Alerts;
using Postrider.Hosting;

namespace Postrider.Api;

/// <summary><c>/alerts</c>: what is wrong with the installation, found by itself.</summary>
static class AlertEndpoints
{
    public static void MapAlerts(this IEndpointRouteBuilder app) =>
        app.MapGet("/alerts", async (IAlertStore alerts, CancellationToken ct) =>
            ApiJson.Answer(new AlertListAnswer([.. (await alerts.ListAsync(ct)).Where(alert => alert.State != AlertState.Pending)
                .OrderBy(alert => alert.State).ThenByDescending(alert => alert.RaisedAt).Select(AlertAnswer.Of)])))
            .For(Access.InstallationReading).Answers<AlertListAnswer>(200)
            .Says("listAlerts", "What is wrong, and what was within seven days: those that are raised first.");
}

/// <summary>Answer to <c>GET /alerts</c>.</summary>
sealed record AlertListAnswer(IReadOnlyList<AlertAnswer> Data);

/// <summary>Something that was wrong for a while.</summary>
/// <param name="Id">The same in all that is told of it, by mail, webhook or program.</param>
/// <param name="Kind">transport_down, standby_carries_traffic, oldest_due_too_old, dead_letters_growing, disk_low, callbacks_silent,
/// sent_without_delivered, route_down.</param>
/// <param name="Subject">The transport, route, stream or node that it is about; empty: the installation.</param>
/// <param name="State">raised or resolved.</param>
/// <param name="Remedy">What to do about it.</param>
sealed record AlertAnswer(
    string? Id, string Kind, string Subject, string State, string Text, string Remedy, DateTimeOffset FirstSeenAt,
    DateTimeOffset LastSeenAt, DateTimeOffset? RaisedAt, DateTimeOffset? ResolvedAt)
{
    public static AlertAnswer Of(Alert alert) => new(
        alert.Id, AlertTelling.Word(alert.Kind), alert.Subject, alert.State.ToString().ToLowerInvariant(), alert.Words, alert.Remedy,
        alert.FirstSeenAt, alert.LastSeenAt, alert.RaisedAt, alert.ResolvedAt);
}
