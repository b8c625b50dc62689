using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Submission;
using Postrider.Suppression;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>What can be done to one message: cancelled, sent again where it failed, resent as a new one where it was sent.</summary>
sealed partial class MessageActions
{
    /// <summary>Recipients whose addresses are looked for on the suppression list, and that a question names.</summary>
    const int MaxLookedFor = 20, MaxNamed = 5;

    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The message is not there any more.");

    IReadOnlyList<(string Address, SuppressedAddress Entry)> _suppressed = [];
    DateTimeOffset? _lookedFor;     // of the message, as it was when _suppressed was read
    string? _key;                   // of the resend to come: asked for twice, it is done once
    MessageId? _resent;

    [Parameter, EditorRequired]
    public EmailAnswer Email { get; set; } = null!;

    /// <summary>Retention has left it.</summary>
    [Parameter, EditorRequired]
    public bool HasContent { get; set; }

    /// <summary>Told when something was done to it.</summary>
    [Parameter]
    public EventCallback Changed { get; set; }

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    [Inject]
    MessageChanges Changes { get; set; } = null!;

    [Inject]
    ISuppressionStore Suppressions { get; set; } = null!;

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    static bool MayGoAgain(RecipientAnswer recipient) => recipient.Status
        is RecipientState.Failed or RecipientState.Expired or RecipientState.Bounced or RecipientState.Held;

    bool WasSent => HasContent && Email.Recipients.All(recipient => !recipient.Status.IsOpen)
        && Email.Recipients.Any(recipient => recipient.Status is RecipientState.Sent or RecipientState.Delivered);

    string ResendQuestion
    {
        get
        {
            var named = string.Join(", ", Email.Recipients.Take(MaxNamed).Select(recipient => recipient.Email));
            var more = Email.Recipients.Count > MaxNamed ? $" and {Numbers.Count(Email.Recipients.Count - MaxNamed)} more" : "";
            return $"Send the same mail once more to {named}{more}? Who has it gets it a second time.";
        }
    }

    // The page reads, and draws this anew.
    protected override TimeSpan Every => TimeSpan.Zero;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (_lookedFor == Email.UpdatedAt)
            return;
        var (found, now, at) = (new List<(string, SuppressedAddress)>(), Clock.GetUtcNow(), Email.UpdatedAt);
        var concerned = Email.Recipients.Where(one => MayGoAgain(one) || one.Status == RecipientState.Suppressed);
        foreach (var recipient in concerned.Take(MaxLookedFor))
            if ((await Suppressions.FindAsync(Viewer.Tenant, recipient.Email, ct)).FirstOrDefault(entry => Covers(entry, now)) is { } entry)
                found.Add((recipient.Email, entry));
        (_suppressed, _lookedFor) = (found, at);
    }

    bool Covers(SuppressedAddress entry, DateTimeOffset now) =>
        !(entry.Until <= now) && (entry.Stream ?? Email.Stream) == Email.Stream;

    Task CancelAsync() => ChangeAsync(Scopes.Send, "cancel", async (tenant, id) =>
        await Changes.CancelAsync(tenant, id, CancellationToken.None) switch
        {
            null => null,
            { IsTooLate: true } => "It has ended, so nothing of it can be cancelled.",
            { Count: var count } => Count(count, "cancelled; an attempt under way ends by itself"),
        });

    Task RetryAsync() => ChangeAsync(Scopes.Manage, "retry", async (tenant, id) =>
    {
        var inVain = Email.Recipients.Where(MayGoAgain).Count(one => _suppressed.Any(other => other.Address == one.Email));
        return await Changes.RetryAsync(tenant, id, CancellationToken.None) switch
        {
            null => null,
            0 => "Nothing is sent again: no recipient failed, expired, bounced or is held, or retention has removed the body.",
            { } count when inVain > 0 => Count(
                count, $"queued again, but {Numbers.Count(inVain)} of them on the suppression list: nothing goes there"),
            { } count => Count(count, "queued again"),
        };
    });

    /// <param name="change">What to tell; null: the message is gone.</param>
    async Task ChangeAsync(Scopes needs, string verb, Func<TenantId, MessageId, Task<string?>> change)
    {
        _resent = null;
        await DoAsync(needs, $"POST /emails/{{id}}/{verb}", $"/emails/{Email.Id}/{verb}", async by =>
        {
            Told = MessageId.TryParse(Email.Id, out var id) ? await change(by.Tenant, id) : null;
            return Told is null ? Gone : null;
        });
        await Changed.InvokeAsync();
    }

    async Task ResendAsync()
    {
        _resent = null;
        await DoAsync(Scopes.Send, "POST /emails", "/emails", by => ResendAsync(by.Tenant), "Accepted anew and on disk.");
        await Changed.InvokeAsync();
    }

    async Task<Problem?> ResendAsync(TenantId tenant)
    {
        if (!MessageId.TryParse(Email.Id, out var id) || await Messages.GetAsync(tenant, id, CancellationToken.None) is not { } view
            || await Messages.GetContentAsync(tenant, id, CancellationToken.None) is not { } content)
            return Gone;
        var route = Router.Of(tenant).Find(view.Route) is null ? null : view.Route;
        _key ??= string.Create(CultureInfo.InvariantCulture, $"resend {id} {Clock.GetUtcNow().UtcTicks}");
        var context = new SubmissionContext(tenant, _key, SHA256.HashData(Encoding.UTF8.GetBytes(_key)))
        {
            Answer = receipt => Encoding.UTF8.GetBytes(receipt.Items[0].Message!.Id.ToString()),
        };
        switch (await Submitter.SubmitAsync(ResentMail.Of(view, content, route), context, CancellationToken.None))
        {
            case SubmissionResult.Refused(var problem):
                return problem;
            case SubmissionResult.Accepted(var receipt):
                _resent = receipt.Items[0].Message!.Id;
                break;
            case SubmissionResult.Replayed(var answer):
                _resent = MessageId.TryParse(Encoding.UTF8.GetString(answer.Span), out var before) ? before : null;
                break;
        }
        _key = null;
        return null;
    }

    static string Count(int count, string what) => $"{Numbers.Count(count, "recipient")} {what}.";
}
