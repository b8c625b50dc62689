using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Tracking;

/// <summary>Makes the content of a message that is tracked ready to be sent: links that lead over us, and the image. By the message alone,
/// so that every try is the same bytes.</summary>
/// <param name="publicUrl">How the world reaches us; tracking is off where it cannot.</param>
public sealed class MailTracker(TrackingTokens tokens, TenantDirectory tenants, TrackingOptions options, string publicUrl)
{
    public const string NoPublicUrl =
        "sent without tracking: set POSTRIDER_PUBLIC_URL to the address at which recipients reach this server";

    readonly string? _base = BaseOf(publicUrl);

    /// <summary>Whether there is an address that recipients reach us at.</summary>
    public bool IsOn => _base is not null;

    /// <param name="only">The recipient where the message has one; null where it has several: they share what is sent.</param>
    /// <param name="remark">Why it is not tracked though that was asked for; null where it is, and where nobody asked.</param>
    public MessageContent Apply(TenantId tenant, MessageId message, int? only, MessageContent content, out string? remark)
    {
        remark = null;
        var track = content.Track;
        var html = track.Opens || track.Clicks ? content.Html : null;
        var text = track.Text ? content.Text : null;
        if (html is null && text is null)
            return content;
        if (IsStopped(tenants, tenant))
            remark = "sent without tracking: tracking is stopped for this tenant";
        else if (_base is null)
            remark = NoPublicUrl;
        else if (html?.Length > options.MaxHtmlLength)
            remark = $"sent without tracking: its HTML has more than {options.MaxHtmlLength} characters";
        else if (text?.Length > options.MaxHtmlLength)
            remark = $"sent without tracking: its text has more than {options.MaxHtmlLength} characters";
        if (remark is not null)
            return content;
        var pixel = track.Opens ? $"{_base}/t/o/{tokens.Make(new(HitKind.Open, tenant, message, only, ""))}.gif" : null;
        var ofHtml = html is null ? default : HtmlRewriter.Rewrite(html, track.Clicks ? Link : static _ => null, pixel);
        var ofText = text is null ? default : TextRewriter.Rewrite(text, href => Link(href) is { } link ? Ended(link) : null);
        remark = ofHtml.Remark is null || ofText.Remark is null ? ofHtml.Remark ?? ofText.Remark : $"{ofHtml.Remark}; {ofText.Remark}";
        return content with { Html = ofHtml.Html ?? content.Html, Text = ofText.Text ?? content.Text };

        string? Link(string href) => LinkTarget.TryRead(href, out var target) && !IsOurs(target)
            ? $"{_base}/t/c/{tokens.Make(new(HitKind.Click, tenant, message, only, target))}" : null;
    }

    /// <summary>Mail programs take a sign at the end for the sentence's, and a token may end with one; a slash stays, and is not read
    /// here.</summary>
    static string Ended(string link) => link[^1] is '-' or '_' ? $"{link}/" : link;

    /// <summary>By the operator's switch, or because the tenant is stopped altogether.</summary>
    public static bool IsStopped(TenantDirectory tenants, TenantId tenant) =>
        tenants.SettingsOf(tenant).Tracking is { IsStopped: true } || tenants.IsArchived(tenant);

    /// <summary>Our own pages, such as the one to unsubscribe, say themselves who came.</summary>
    bool IsOurs(string target) => target.StartsWith(_base!, StringComparison.OrdinalIgnoreCase)
        && (target.Length == _base!.Length || target[_base.Length] is '/' or '?' or '#');

    /// <summary>Null where nobody but this machine would find us.</summary>
    static string? BaseOf(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && !uri.IsLoopback && !IsAnyAddress(uri)
            ? url.TrimEnd('/') : null;

    static bool IsAnyAddress(Uri uri) => uri.DnsSafeHost is "0.0.0.0" or "::" or "*";
}
