using System.Text.Json;

namespace Postrider.Messages;

/// <summary>A message as an entrance read it, before any check: every entrance (HTTP, SMTP, vendor dialects, schedules,
/// command line) makes the same.</summary>
/// <remarks>Absent and null are the same. The submitter checks it and names faults by JSON pointers built from these member names
/// (<c>/to/0</c>).</remarks>
public sealed record SubmissionRequest
{
    public AddressText? From { get; init; }
    public IReadOnlyList<AddressText> To { get; init; } = [];
    public IReadOnlyList<AddressText> Cc { get; init; } = [];
    public IReadOnlyList<AddressText> Bcc { get; init; } = [];
    public IReadOnlyList<AddressText> ReplyTo { get; init; } = [];
    public string? Subject { get; init; }
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>In the order given; names may repeat.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
    public IReadOnlyList<AttachmentText> Attachments { get; init; } = [];
    public IReadOnlyList<string> Tags { get; init; } = [];
    public IReadOnlyList<MetadataEntry> Metadata { get; init; } = [];

    /// <summary>RFC 3339 with a zone, or null for now.</summary>
    public string? SendAt { get; init; }

    /// <summary>How long from <see cref="SendAt"/> (or now) it may wait; as seconds, or text such as <c>24h</c>.
    /// Null: the default, 24 h.</summary>
    public string? ExpiresIn { get; init; }

    /// <summary><c>transactional</c> or <c>bulk</c>; null: transactional for single messages, bulk for batches by destination.</summary>
    public string? Stream { get; init; }
    public string? Route { get; init; }

    /// <summary><c>retry</c> or <c>hold</c>; null: the default of the installation.</summary>
    public string? OnAmbiguous { get; init; }
    public string? OrderingKey { get; init; }

    /// <summary>What is to be learned of it after it has arrived; null: as the tenant has it for the stream.</summary>
    public TrackRequest? Track { get; init; }

    /// <summary>A stored template that gives subject, text and HTML; null where they are given.</summary>
    public TemplateUse? Template { get; init; }

    /// <summary>The whole message (RFC 5322) where the sender made it; null where the other members say what it is. With it
    /// <see cref="From"/> is MAIL FROM (null: the message's own), <see cref="To"/> is whom it goes to (empty: whom its headers name), and
    /// ReplyTo, Subject, Text, Html, Headers and Attachments stay empty. Relayed byte for byte except what must change.</summary>
    /// <remarks>Kept until the message is delivered: the memory must not be used again.</remarks>
    public ReadOnlyMemory<byte>? Mime { get; init; }

    /// <summary>With <see cref="Mime"/>: header fields that are not passed on, such as an entrance's own instructions. Compared without
    /// regard to case; <c>X-Postrider-*</c> stands for all that start so. Bcc and Resent-Bcc never are passed on.</summary>
    public IReadOnlyList<string> RemovedHeaders { get; init; } = [];

    /// <summary>With <see cref="Mime"/>: nobody hears of failures (MAIL FROM:&lt;&gt;, RFC 5321 §4.5.5); <see cref="From"/> is not
    /// read.</summary>
    public bool HasEmptyReversePath { get; init; }
}

/// <summary>An address as written: <c>Name &lt;a@b&gt;</c> in one text, or address and name apart.</summary>
/// <param name="Text">The whole of it when <paramref name="IsAddressOnly"/> is false; else the bare address.</param>
public readonly record struct AddressText(string Text, string? Name = null, bool IsAddressOnly = false);

/// <summary>An attachment as written.</summary>
/// <param name="ContentType">Null or empty: told by the file's name.</param>
/// <param name="Content">Base64 (RFC 4648 §4; white space is ignored), or null when the entrance has the bytes.</param>
/// <param name="Bytes">The bytes when the entrance has them.</param>
public sealed record AttachmentText(string? FileName, string? ContentType, string? Content, string? ContentId,
    ReadOnlyMemory<byte>? Bytes = null)
{
    /// <summary>An URL to fetch from; refused unless that is switched on (<c>url-not-allowed</c>).</summary>
    public string? Url { get; init; }

    /// <summary><c>attachment</c> or <c>inline</c>; null: inline when it has a content id.</summary>
    public string? Disposition { get; init; }
}

/// <summary>A stored template and what it is filled in with.</summary>
/// <param name="Name">Its name, id or number.</param>
public sealed record TemplateUse(string Name)
{
    /// <summary>Null: the newest.</summary>
    public int? Version { get; init; }

    /// <summary>An object; undefined is an empty one.</summary>
    public JsonElement Data { get; init; }

    /// <summary>Whether missing data refuses the message, where the template does not say.</summary>
    public bool IsStrict { get; init; } = true;

    /// <summary>The request's own subject is taken only where the template has none; else it goes before the template's.</summary>
    public bool SubjectIsFallback { get; init; }
}

/// <summary>One destination of a batch: gets a message of its own.</summary>
/// <param name="Data">An object of at most <see cref="MaxDataBytes"/>, filled into the template; null: none.</param>
public sealed record Destination(AddressText Address, JsonElement? Data = null)
{
    /// <summary>What one destination may have of its own: thousands of them are in memory at once.</summary>
    public const int MaxDataBytes = 64 * 1024;

    /// <summary>What is wrong with so many bytes of data, in words that name the field; null: nothing.</summary>
    public static string? DataFault(int bytes) => bytes <= MaxDataBytes ? null
        : $"data has {bytes:N0} bytes, and a destination takes at most {MaxDataBytes:N0}. "
            + "Shorten it, or put what all share into the data of the template.";
}
