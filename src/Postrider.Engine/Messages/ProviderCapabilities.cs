using System.Collections.Frozen;

namespace Postrider.Messages;

/// <summary>What a kind of service can carry; an envelope that needs more is not offered to it.</summary>
public sealed record ProviderCapabilities
{
    /// <summary>Largest message in bytes; null when there is no stated limit.</summary>
    public long? MaxMessageBytes { get; init; }

    /// <summary>Most recipients in one call.</summary>
    public int MaxRecipients { get; init; } = 100;

    /// <summary>Local parts outside ASCII (RFC 6531). An SMTP server may still refuse it at the attempt.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>It recognises a repetition by a key of ours, so an unknown outcome may be retried there at once.</summary>
    public bool Idempotent { get; init; }

    /// <summary>How long an outcome that may have been an acceptance waits for evidence here; null: as the stream asks. HTTP providers:
    /// 120 s, their longest timeout.</summary>
    public TimeSpan? Settle { get; init; }

    /// <summary>Most Reply-To addresses; null for any number.</summary>
    public int? MaxReplyTo { get; init; }

    /// <summary>Several header fields of one name. Vendors that take an object of headers cannot.</summary>
    public bool RepeatedHeaders { get; init; } = true;

    /// <summary>Header fields that it writes itself or refuses; compared without regard to case.</summary>
    public IReadOnlySet<string> ReservedHeaders { get; init; } = FrozenSet<string>.Empty;

    /// <summary>Extensions of attachments that it refuses, lower case, without the dot.</summary>
    public IReadOnlySet<string> RefusedExtensions { get; init; } = FrozenSet<string>.Empty;

    /// <summary>A message without any text and HTML.</summary>
    public bool EmptyBody { get; init; } = true;

    /// <summary>A message without subject.</summary>
    public bool EmptySubject { get; init; } = true;

    /// <summary>Attachments of no bytes at all.</summary>
    public bool EmptyAttachments { get; init; } = true;

    /// <summary>Messages that came whole, byte for byte. Where it cannot they are taken apart, or not offered to it.</summary>
    public bool WholeMessages { get; init; } = true;

    /// <summary>A set of header names for <see cref="ReservedHeaders"/>.</summary>
    public static IReadOnlySet<string> HeaderNames(params ReadOnlySpan<string> names) =>
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, names);

    /// <summary>The first thing in the content that it cannot carry, as the end of "cannot carry …"; null when it can carry all.</summary>
    public string? WhyUnfit(MessageContent content)
    {
        if (!WholeMessages && content.Mime is not null)
            return "a message that came whole";
        if (MaxReplyTo is { } most && content.ReplyTo.Count > most)
            return $"{content.ReplyTo.Count} Reply-To addresses (at most {most})";
        if (!EmptyBody && string.IsNullOrEmpty(content.Text) && string.IsNullOrEmpty(content.Html))
            return "a message without text and HTML";
        if (!EmptySubject && string.IsNullOrWhiteSpace(content.Subject))
            return "a message without subject";
        var seen = RepeatedHeaders ? null : new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var header in content.Headers)
        {
            if (ReservedHeaders.Contains(header.Name))
                return $"the header {header.Name}";
            if (seen?.Add(header.Name) == false)
                return $"the header {header.Name} more than once";
        }
        foreach (var attachment in content.Attachments)
        {
            if (!EmptyAttachments && attachment.Content.IsEmpty)
                return $"an empty attachment ({attachment.FileName})";
            if (RefusedExtensions.Contains(Path.GetExtension(attachment.FileName).TrimStart('.').ToLowerInvariant()))
                return $"attachments such as {attachment.FileName}";
        }
        return null;
    }
}
