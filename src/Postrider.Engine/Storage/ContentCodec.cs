using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>The stored form of a message's content: a version byte, then fields in a fixed order. Old versions stay readable for
/// ever.</summary>
static class ContentCodec
{
    /// <summary>What is stored in place of a content that was deleted: the message, or batch, is still known.</summary>
    public static readonly byte[] Gone = [0];

    /// <summary>Version 1 knew texts only; the rest of it is the same.</summary>
    const byte Version = 2;

    /// <summary>Of what is filled in for each message: a program that would send the template itself must not read it.</summary>
    const byte MergeVersion = 3;

    /// <summary>Of what is tracked.</summary>
    const byte TrackVersion = 4;

    /// <summary>Of what came with a trace.</summary>
    const byte TraceVersion = 5;

    [Flags]
    enum Parts : byte { None = 0, Text = 1, Html = 2, Mime = 4, ReversePath = 8, Merge = 16, DataOnly = 32, Track = 64, Trace = 128 }

    [Flags]
    enum MergeFlags : byte { None = 0, Strict = 1, RawHtml = 2 }

    [Flags]
    enum TrackFlags : byte { None = 0, Opens = 1, Clicks = 2, Text = 4 }

    [Flags]
    enum AttachmentForm : byte { None = 0, Inline = 1, ContentId = 2 }

    public static void Write(FieldWriter to, MessageContent content)
    {
        to.Byte(content.Trace != default ? TraceVersion
            : content.Track.Any ? TrackVersion : content.Merge is null ? Version : MergeVersion);
        to.Byte((byte)PartsOf(content));
        WriteMailbox(to, content.From);
        to.Number(content.ReplyTo.Count);
        foreach (var mailbox in content.ReplyTo)
            WriteMailbox(to, mailbox);
        to.Text(content.Subject);
        if (content.Text is not null)
            to.Text(content.Text);
        if (content.Html is not null)
            to.Text(content.Html);
        to.Number(content.Headers.Count);
        foreach (var header in content.Headers)
        {
            to.Text(header.Name);
            to.Text(header.Value);
        }
        to.Number(content.Attachments.Count);
        foreach (var attachment in content.Attachments)
            WriteAttachment(to, attachment);
        if (content.ReversePath is { } path)
            to.Text(path.Address?.ToString());
        if (content.Mime is { } mime)
            to.Bytes(mime.Span);
        if (content.Merge is { } merge)
        {
            to.Byte((byte)((merge.IsStrict ? MergeFlags.Strict : 0) | (merge.AllowsRawHtml ? MergeFlags.RawHtml : 0)));
            to.Bytes(content.MergeData.Span);
        }
        if (content.Track is { Any: true } track)
            to.Byte((byte)(
                (track.Opens ? TrackFlags.Opens : 0) | (track.Clicks ? TrackFlags.Clicks : 0) | (track.Text ? TrackFlags.Text : 0)));
        if (content.Trace != default)
            to.Text(MailTrace.Format(content.Trace));
    }

    /// <summary>A message's own part where the rest of its content is its batch's.</summary>
    public static void WriteData(FieldWriter to, ReadOnlySpan<byte> data)
    {
        to.Byte(MergeVersion);
        to.Byte((byte)Parts.DataOnly);
        to.Bytes(data);
    }

    /// <summary>Whether <see cref="WriteData"/> wrote it.</summary>
    public static bool IsData(ReadOnlySpan<byte> own) => own is [MergeVersion, (byte)Parts.DataOnly, ..];

    /// <summary>Whether it is <see cref="Gone"/>.</summary>
    public static bool IsGone(ReadOnlySpan<byte> stored) => stored is [0];

    /// <summary>The batch's content for one message of it.</summary>
    /// <param name="own">What is stored with the message; null where it has nothing of its own.</param>
    public static MessageContent OfBatch(MessageContent shared, byte[]? own)
    {
        if (own is null)
            return shared;
        var from = new FieldReader(own.AsMemory(2));
        return shared with { MergeData = from.Bytes() };
    }

    static Parts PartsOf(MessageContent content) =>
        (content.Text is null ? 0 : Parts.Text) | (content.Html is null ? 0 : Parts.Html)
        | (content.Mime is null ? 0 : Parts.Mime) | (content.ReversePath is null ? 0 : Parts.ReversePath)
        | (content.Merge is null ? 0 : Parts.Merge) | (content.Track.Any ? Parts.Track : 0)
        | (content.Trace == default ? 0 : Parts.Trace);

    /// <summary>Attachments and MIME of the result are parts of <paramref name="data"/>, which must not change.</summary>
    public static MessageContent Read(ReadOnlyMemory<byte> data)
    {
        if (IsGone(data.Span))
            throw new InvalidDataException("The content of the message was deleted, as retention or an erasure asks for.");
        var from = new FieldReader(data);
        if (from.Byte() is not (1 or Version or MergeVersion or TrackVersion or TraceVersion) and var version)
            throw new InvalidDataException(
                $"A stored message has format {version}, made by a newer Postrider; this one knows up to {TraceVersion}.");
        var parts = (Parts)from.Byte();
        var content = new MessageContent
        {
            From = ReadMailbox(ref from),
            ReplyTo = ReadList(ref from, ReadMailbox),
            Subject = from.Text(),
            Text = parts.HasFlag(Parts.Text) ? from.Text() : null,
            Html = parts.HasFlag(Parts.Html) ? from.Text() : null,
            Headers = ReadList(ref from, ReadHeader),
            Attachments = ReadList(ref from, ReadAttachment),
            ReversePath = parts.HasFlag(Parts.ReversePath) ? ReadReversePath(ref from) : null,
            // A bare null would become empty memory.
            Mime = parts.HasFlag(Parts.Mime) ? from.Bytes() : default(ReadOnlyMemory<byte>?),
            Merge = parts.HasFlag(Parts.Merge) ? ReadMerge(ref from) : null,
            MergeData = parts.HasFlag(Parts.Merge) ? from.Bytes() : default,
            Track = parts.HasFlag(Parts.Track) ? ReadTrack(ref from) : default,
            Trace = parts.HasFlag(Parts.Trace) ? MailTrace.Parse(from.Text()) : default,
        };
        return from.AtEnd
            ? content
            : throw new InvalidDataException("A stored message is longer than its fields: the database is damaged.");
    }

    delegate T FieldOf<T>(ref FieldReader from);

    static List<T> ReadList<T>(ref FieldReader from, FieldOf<T> read)
    {
        var count = from.Int();
        if (count == 0)
            return [];
        // No preset capacity: a damaged count must not allocate.
        var list = new List<T>();
        for (var i = 0; i < count; i++)
            list.Add(read(ref from));
        return list;
    }

    static void WriteMailbox(FieldWriter to, Mailbox mailbox)
    {
        to.Text(mailbox.Name);
        to.Text(mailbox.Address.ToString());
    }

    static Mailbox ReadMailbox(ref FieldReader from)
    {
        var name = from.Text();
        return StoredAddress.Mailbox(name.Length == 0 ? null : name, from.Text());
    }

    static ReversePath ReadReversePath(ref FieldReader from) =>
        from.Text() is { Length: > 0 } address ? new ReversePath(StoredAddress.Parse(address)) : default;

    static MergeForm ReadMerge(ref FieldReader from)
    {
        var flags = (MergeFlags)from.Byte();
        return new MergeForm(flags.HasFlag(MergeFlags.Strict), flags.HasFlag(MergeFlags.RawHtml));
    }

    static Tracked ReadTrack(ref FieldReader from)
    {
        var flags = (TrackFlags)from.Byte();
        return new Tracked(flags.HasFlag(TrackFlags.Opens), flags.HasFlag(TrackFlags.Clicks), flags.HasFlag(TrackFlags.Text));
    }

    static HeaderField ReadHeader(ref FieldReader from)
    {
        var (name, value) = (from.Text(), from.Text());
        return HeaderField.TryCreate(name, value, out var header, out var fault)
            ? header
            : throw new InvalidDataException($"A stored header field is refused: {fault.Describe()}.");
    }

    static void WriteAttachment(FieldWriter to, MimeAttachment attachment)
    {
        to.Text(attachment.FileName);
        to.Text(attachment.ContentType);
        to.Byte((byte)((attachment.Inline ? AttachmentForm.Inline : 0) | (attachment.ContentId is null ? 0 : AttachmentForm.ContentId)));
        if (attachment.ContentId is not null)
            to.Text(attachment.ContentId);
        to.Bytes(attachment.Content.Span);
    }

    static MimeAttachment ReadAttachment(ref FieldReader from)
    {
        var (fileName, contentType, form) = (from.Text(), from.Text(), (AttachmentForm)from.Byte());
        return new MimeAttachment
        {
            FileName = fileName,
            ContentType = contentType,
            Inline = form.HasFlag(AttachmentForm.Inline),
            ContentId = form.HasFlag(AttachmentForm.ContentId) ? from.Text() : null,
            Content = from.Bytes(),
        };
    }
}
