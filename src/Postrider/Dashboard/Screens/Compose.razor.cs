using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Hands over one message, as <c>POST /emails</c> does.</summary>
sealed partial class Compose
{
    MailFields _fields = null!;
    MailDraft _draft = new();
    PreviewedMail? _preview;
    Problem? _problem;
    MessageId? _sent;
    bool _isSending;
    bool _hasCapture;

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    MailPreview Previews { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    /// <summary>A template to begin with.</summary>
    [SupplyParameterFromQuery(Name = "template")]
    string? Template { get; set; }

    protected override void OnInitialized()
    {
        _hasCapture = Router.Of(Viewer.Tenant).Transports.Any(t => t.Options.Scheme == "capture");
        _draft.Template = Template ?? "";
    }

    async Task PreviewAsync()
    {
        await _fields.ReadAsync();
        (_preview, _sent) = (null, null);
        if (_draft.ToRequest(Viewer.Zone, out _problem) is not { } request)
            return;
        try
        {
            (_preview, _problem) = await Previews.MakeAsync(Viewer.Tenant, request, null);
        }
        catch (Exception fault) when (StoreFaults.Explain(fault) is { } explained)
        {
            _problem = explained;
        }
    }

    async Task SendAsync()
    {
        if (_isSending)
            return;
        (_isSending, _sent) = (true, null);
        try
        {
            await _fields.ReadAsync();
            if (_draft.ToRequest(Viewer.Zone, out _problem) is not { } request)
                return;
            _problem = await Actions.DoAsync(new NeedsAttribute(Scopes.Send), "POST /emails", "/emails", async by =>
            {
                var result = await Submitter.SubmitAsync(request, new SubmissionContext(by.Tenant, null, default), CancellationToken.None);
                if (result is SubmissionResult.Refused(var problem))
                    return problem;
                _sent = ((SubmissionResult.Accepted)result).Receipt.Items[0].Message!.Id;
                return null;
            });
            if (_sent is not null)
                // The next one is likely from the same sender.
                (_draft, _preview) = (new MailDraft { From = _draft.From }, null);
        }
        finally
        {
            _isSending = false;
        }
    }
}
