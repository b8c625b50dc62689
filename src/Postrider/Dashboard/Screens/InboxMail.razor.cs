using System.Globalization;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Parts;
using Postrider.Providers.Capture;

namespace Postrider.Dashboard.Screens;

/// <summary>One mail of the inbox, as it would have left.</summary>
sealed partial class InboxMail
{
    CapturedMail? _mail;
    ShownMail _content = new(); // of _mail

    [Parameter]
    public long Id { get; set; }

    [Inject]
    IInbox Mails { get; set; } = null!;

    string Preview => string.Create(CultureInfo.InvariantCulture, $"preview/inbox/{Id}");

    // It never changes.
    protected override TimeSpan Every => TimeSpan.Zero;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (await Mails.GetAsync(Viewer.Tenant, Id, ct) is not { } mail)
        {
            _mail = null;
            return;
        }
        (_mail, _content) = (mail, ShownMail.Of(mail.Mime));
    }
}
