using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>The whole story of one message.</summary>
sealed partial class MessagePage
{
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The message is not there any more.");

    EmailAnswer? _email;
    ShownMail? _content;

    [Parameter]
    public string Id { get; set; } = "";

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    EmailShapes Emails { get; set; } = null!;

    [Inject]
    MessageChanges Changes { get; set; } = null!;

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
            _content = await Messages.GetContentAsync(Viewer.Tenant, id, ct) is { } content ? ShownMail.Of(content) : null;
        _email = Emails.Whole(view, null);
    }

    static bool CanRetry(EmailAnswer email) => email.Recipients.Any(
        r => r.Status is RecipientState.Failed or RecipientState.Expired or RecipientState.Bounced or RecipientState.Held);

    Task<bool> CancelAsync() => ChangeAsync(Scopes.Send, "cancel", async (tenant, id) =>
        await Changes.CancelAsync(tenant, id, CancellationToken.None) switch
        {
            null => null,
            { IsTooLate: true } => "It has ended, so nothing of it can be cancelled.",
            { Count: var count } => Count(count, "cancelled; an attempt under way ends by itself"),
        });

    Task<bool> RetryAsync() => ChangeAsync(Scopes.Manage, "retry", async (tenant, id) =>
        await Changes.RetryAsync(tenant, id, CancellationToken.None) switch
        {
            null => null,
            0 => "Nothing is sent again: no recipient failed, expired, bounced or is held, or retention has removed the body.",
            { } count => Count(count, "queued again"),
        });

    /// <param name="change">What to tell; null: the message is gone.</param>
    Task<bool> ChangeAsync(Scopes needs, string verb, Func<TenantId, MessageId, Task<string?>> change) =>
        DoAsync(needs, $"POST /emails/{{id}}/{verb}", $"/emails/{Id}/{verb}", async by =>
        {
            Told = MessageId.TryParse(Id, out var id) ? await change(by.Tenant, id) : null;
            return Told is null ? Gone : null;
        });

    static string Count(int count, string what) => $"{Numbers.Count(count, "recipient")} {what}.";
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
