using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>What waits and why, and stopping mail.</summary>
sealed partial class QueuePage
{
    IReadOnlyList<QueueGroupAnswer> _groups = [];
    IReadOnlyList<TransportAnswer> _transports = [];
    IReadOnlyList<PauseAnswer> _pauses = [];
    string _stream = "";
    string _route = "";
    string _reason = "";

    [Inject]
    QueueShapes Groups { get; set; } = null!;

    // Each reading goes over the whole queue.
    protected override TimeSpan Every => TimeSpan.FromSeconds(5);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _pauses = PauseEndpoints.List(Viewer.Tenant, Router).Data;
        _transports = await ShapesAsync(Table.Transports, ct);
        _groups = await Groups.OfAsync(Viewer.Tenant, ct);
    }

    async Task PauseAsync()
    {
        var body = new JsonObject().With("stream", _stream).With("route", _route).With("reason", _reason);
        var isDone = await DoAsync(Scopes.Manage, "POST /pause", "/pause", async by =>
        {
            if (PauseEndpoints.Read(body.ToBody(), out var unread) is not { } request)
                return unread;
            if (request.Fault(Table) is { } absent)
                return absent;
            await Router.Pauses.AddAsync(request.Of(by.Tenant, Clock.GetUtcNow()), Viewer.Ended);
            return null;
        });
        if (isDone)
            (_stream, _route, _reason) = ("", "", "");
    }

    Task<bool> ResumeAsync(PauseAnswer pause) => DoAsync(Scopes.Manage, "DELETE /pause", "/pause", async by =>
        await Router.Pauses.RemoveAsync(new PauseScope(by.Tenant, pause.Stream, pause.Route), Viewer.Ended)
            ? null : PauseEndpoints.NotPaused, "Mail flows again.");
}

/// <summary>What is stopped, in words.</summary>
static class PauseWords
{
    public static string What(MailStream? stream, string? route) =>
        $"{(stream is { } some ? $"{(some == MailStream.Bulk ? "Bulk" : "Transactional")} mail" : "All mail")}"
        + $"{(route is null ? "" : $" on the route {route}")} is stopped";

    /// <summary>What a form asks to stop; empty: any.</summary>
    public static string Asked(string stream, string route) =>
        $"{(stream.Length == 0 ? "all of this tenant's mail" : $"{stream} mail")}{(route.Length == 0 ? "" : $" on the route {route}")}";
}
