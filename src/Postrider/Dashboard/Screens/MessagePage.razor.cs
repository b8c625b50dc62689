using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Dashboard.Screens;

/// <summary>The whole story of one message.</summary>
sealed partial class MessagePage
{
    EmailAnswer? _email;
    ShownMail? _content;

    [Parameter]
    public string Id { get; set; } = "";

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    EmailShapes Emails { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (!MessageId.TryParse(Id, out var id) || await Messages.GetAsync(Viewer.Tenant, id, ct) is not { } view)
        {
            _email = null;
            return;
        }
        // It never changes, but retention removes it.
        if (_email?.Id != view.Id.ToString())
            _content = await Messages.GetContentAsync(Viewer.Tenant, id, ct) is { } content
                ? ShownMail.Of(view, content) : null;
        _email = Emails.Whole(view, null);
    }

    // The API has one word for all that was not sent; who cancelled it wants to see that.
    static string Status(EmailAnswer email) =>
        email.Recipients.All(recipient => recipient.Status == RecipientState.Cancelled) ? "cancelled" : email.Status;

    static string? Reason(EmailAnswer email) => email.StatusReason == Status(email) ? null : email.StatusReason;

    bool IsDue(RecipientAnswer recipient) => recipient.Status == RecipientState.Queued && recipient.NextAttemptAt <= Clock.GetUtcNow();
}

/// <summary>A line of a message's timeline.</summary>
/// <param name="Answer">What the other side said, as it came; may be empty.</param>
readonly record struct TimelineEntry(
    DateTimeOffset At, string Word, string? Transport, TimeSpan? Took, IReadOnlyList<string> Recipients, string Answer, string? Remark);

/// <summary>Attempts and events as one story.</summary>
static class Timeline
{
    public static IEnumerable<TimelineEntry> Of(EmailAnswer email)
    {
        var attempts = (email.Attempts ?? []).Select(a => new TimelineEntry(
            a.At, ApiJson.Word(a.Outcome), a.Transport, TimeSpan.FromMilliseconds(a.DurationMs), a.Recipients,
            Join(a.Code, a.EnhancedCode, a.Text), a.Remark));
        var events = (email.Events ?? []).Select(e => new TimelineEntry(
            e.At, e.Type, e.Source, null, e.Recipients, Join(e.Code, e.EnhancedCode, e.Text ?? e.Url), e.Remark));
        return attempts.Concat(events).OrderBy(e => e.At)
            .Prepend(new TimelineEntry(email.CreatedAt, "received", null, null, [], "", "Accepted and on disk."));
    }

    static string Join(int? code, string? enhanced, string? text) =>
        string.Join(' ', new[] { code?.ToString(CultureInfo.InvariantCulture), enhanced, text }.Where(part => !string.IsNullOrEmpty(part)));
}
