using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Hands over one message, as <c>POST /emails</c> does.</summary>
sealed partial class Compose
{
    MailDraft _draft = new();
    PreviewedMail? _preview;
    MessageId? _sent;
    bool _isInInbox;    // or may come there: what was sent last

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    MailPreview Previews { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    IMessageReader Messages { get; set; } = null!;

    /// <summary>A template to begin with.</summary>
    [SupplyParameterFromQuery(Name = "template")]
    string? Template { get; set; }

    protected override void OnInitialized() => _draft.Template = Template ?? "";

    SubmissionRequest? Request()
    {
        (_preview, _sent) = (null, null);
        var request = _draft.ToRequest(Viewer.Zone, Clock.GetUtcNow(), out var problem);
        Refused = problem;
        return request;
    }

    async Task PreviewAsync()
    {
        if (Request() is { } request)
            await LookAsync(async _ => (_preview, Refused) = await Previews.MakeAsync(Viewer.Tenant, request, null));
    }

    async Task SendAsync()
    {
        if (Request() is not { } request)
            return;
        await DoAsync(Scopes.Send, "POST /emails", "/emails", async by =>
        {
            var result = await Submitter.SubmitAsync(request, new SubmissionContext(by.Tenant, null, default), CancellationToken.None);
            if (result is SubmissionResult.Refused(var problem))
                return problem;
            var message = ((SubmissionResult.Accepted)result).Receipt.Items[0].Message!;
            _isInInbox = await MayBeInInboxAsync(message);
            _sent = message.Id;
            return null;
        }, "Accepted and on disk.");
        if (_sent is not null)
            // The next one is likely from the same sender.
            _draft = new MailDraft { From = _draft.From };
    }

    /// <summary>By its route, or because staging keeps it from its recipients.</summary>
    async Task<bool> MayBeInInboxAsync(AcceptedMessage message) =>
        message.Recipients.Any(recipient => recipient.State == RecipientState.Held)
        || (await Messages.GetAsync(Viewer.Tenant, message.Id, CancellationToken.None) is { } view
            && Router.Of(Viewer.Tenant).For(view.Route) is { } route && route.Transports.Any(t => t.Options.Scheme == "capture"));
}
