using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
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
    const int MaxFiles = 10;
    const int MaxFileBytes = 10_000_000;

    readonly List<AttachmentText> _files = [];
    Draft _draft = new();
    Problem? _problem;
    MessageId? _sent;
    bool _isSending;
    bool _hasCapture;
    bool _isPreviewed;

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    Router Router { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    protected override void OnInitialized() => _hasCapture = Router.Of(Viewer.Tenant).Transports.Any(t => t.Options.Scheme == "capture");

    async Task AttachAsync(InputFileChangeEventArgs change)
    {
        _problem = null;
        foreach (var file in change.GetMultipleFiles(MaxFiles))
        {
            if (file.Size > MaxFileBytes)
            {
                _problem = TenantProblems.InvalidField("/attachments", $"{file.Name} is larger than {Sizes.Short(MaxFileBytes)}. The API takes more.");
                continue;
            }
            using var bytes = new MemoryStream();
            await using var stream = file.OpenReadStream(MaxFileBytes);
            await stream.CopyToAsync(bytes);
            _files.Add(new AttachmentText(file.Name, file.ContentType, Convert.ToBase64String(bytes.ToArray()), null));
        }
    }

    async Task SendAsync()
    {
        if (_isSending)
            return;
        (_isSending, _sent) = (true, null);
        try
        {
            _problem = await Actions.DoAsync(new NeedsAttribute(Scopes.Send), "POST /emails", "/emails", async by =>
            {
                var result = await Submitter.SubmitAsync(
                    _draft.ToRequest(_files, Viewer.Zone), new SubmissionContext(by.Tenant, null, default), CancellationToken.None);
                if (result is SubmissionResult.Refused(var problem))
                    return problem;
                _sent = ((SubmissionResult.Accepted)result).Receipt.Items[0].Message!.Id;
                return null;
            });
            if (_sent is not null)
            {
                // The next one is likely from the same sender.
                _draft = new Draft { From = _draft.From };
                _files.Clear();
            }
        }
        finally
        {
            _isSending = false;
        }
    }

    /// <summary>What was typed.</summary>
    sealed class Draft
    {
        public string From { get; set; } = "";
        public string To { get; set; } = "";
        public string Cc { get; set; } = "";
        public string Bcc { get; set; } = "";
        public string ReplyTo { get; set; } = "";
        public string Subject { get; set; } = "";
        public string Text { get; set; } = "";
        public string Html { get; set; } = "";
        public string Stream { get; set; } = "transactional";
        public string Route { get; set; } = "";
        public string Tags { get; set; } = "";

        /// <summary>What the viewer's clock shows then.</summary>
        public DateTime? SendAt { get; set; }

        public SubmissionRequest ToRequest(IReadOnlyList<AttachmentText> files, TimeZoneInfo zone) => new()
        {
            From = From.Trim().Length > 0 ? new AddressText(From.Trim()) : null,
            To = AddressList.Split(To),
            Cc = AddressList.Split(Cc),
            Bcc = AddressList.Split(Bcc),
            ReplyTo = AddressList.Split(ReplyTo),
            Subject = Subject,
            Text = Text.Length > 0 ? Text : null,
            Html = Html.Length > 0 ? Html : null,
            Attachments = files,
            Stream = Stream,
            Route = Route.Length > 0 ? Route : null,
            Tags = [.. Tags.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)],
            SendAt = SendAt is { } at
                ? new DateTimeOffset(at, zone.GetUtcOffset(at)).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture) : null,
        };
    }
}
