using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Dashboard.Screens;

/// <summary>How the mail goes at this moment, and what needs a person.</summary>
sealed partial class Overview
{
    const int NewestShown = 8;

    StateCounts? _counts;
    IReadOnlyList<TransportAnswer> _transports = [];
    IReadOnlyList<EmailAnswer> _newest = [];
    IReadOnlyList<Concern> _concerns = [];
    IReadOnlyList<FlowCount> _flow = [];
    IReadOnlyList<DueDepth> _due = [];
    FlowNumbers _all;

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    IFlowStore Flow { get; set; } = null!;

    [Inject]
    EmailShapes Emails { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        _counts = await Messages.CountAsync(Viewer.Tenant, ct);
        var page = await Messages.ListAsync(Viewer.Tenant, new MessageFilter { Limit = NewestShown }, ct);
        _newest = [.. page.Messages.Select(Emails.Short)];
        _transports = await ShapesAsync(Table.Transports, ct);
        var now = Clock.GetUtcNow();
        _flow = await Flow.ReadAsync(Viewer.Tenant, now.AddHours(-1), ct);
        _all = FlowSummary.Of(_flow, null, now);
        _due = await Flow.ReadDueAsync(Viewer.Tenant, [.. Table.Routes.Select(route => route.Name)], now, ct);
        _concerns = [.. Concerns.Of(_counts, _transports, Router, Viewer)];
    }

    static IEnumerable<Tile> Tiles(StateCounts counts) =>
    [
        new("queued", counts.Queued, "messages?state=queued"), new("under way", counts.Leased, "messages?state=leased"),
        new("scheduled", counts.Scheduled, "messages?state=scheduled"), new("unknown", counts.Unknown, "messages?state=unknown"),
        new("held", counts.Held, "messages?state=held"), new("sent", counts.Sent, "messages?state=sent"),
        new("delivered", counts.Delivered, "messages?state=delivered"), new("bounced", counts.Bounced, "messages?state=bounced"),
        new("failed", counts.Failed, "messages?state=failed"), new("expired", counts.Expired, "messages?state=expired"),
        new("suppressed", counts.Suppressed, "messages?state=suppressed"),
    ];

    static string Span(TimeSpan? span) => span is { } length ? Times.Length(length) : "–";

    static string Depth(DueDepth due) => due.Recipients >= DueDepth.Most
        ? $"{Numbers.Count(DueDepth.Most)} or more" : Numbers.Count(due.Recipients);

    readonly record struct Tile(string Word, long Count, string Address);
}

/// <summary>Something that goes on being wrong until a person does something.</summary>
readonly record struct Concern(string What, string Remedy, string Address);

/// <summary>What needs a person of this tenant. What the whole installation suffers from is told by the banner.</summary>
static class Concerns
{
    public static IEnumerable<Concern> Of(StateCounts counts, IReadOnlyList<TransportAnswer> transports, Router router, Viewer viewer)
    {
        if (router.Of(viewer.Tenant).Transports.Count == 0)
            yield return new Concern("There is no transport.", "Mail is refused until one is added, or named in POSTRIDER_TRANSPORTS.", "transports");
        foreach (var transport in transports.Where(t => t.State is not ("ok" or "throttled")))
            yield return new Concern($"{transport.Name} is {transport.State.Replace('_', ' ')}.", Words.Meaning(transport.State) ?? "",
                $"transports/{transport.Name}");
        foreach (var pause in router.Pauses.All.Where(p => p.Scope.Tenant == viewer.Tenant))
            yield return new Concern(
                $"{PauseWords.What(pause.Scope.Stream, pause.Scope.Route)}.", pause.Reason ?? "It is accepted and waits.", "queue");
        if (counts.Held > 0)
            yield return new Concern(
                $"{Numbers.Count(counts.Held)} recipients are held.", "They wait for a person to send or cancel them.",
                "dead-letters");
    }
}
