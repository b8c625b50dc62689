using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Mime;

/// <summary>
/// Writes an attachment as a part: its name in the form of RFC 2231, and for old readers as an encoded word in Content-Type.
/// </summary>
static class AttachmentWriter
{
    const string EmbeddedMessage = "message/rfc822";

    /// <summary>A longer name is split over lines.</summary>
    const int MaxPlainFileName = 60;

    /// <summary>RFC 5322 §2.1.1.</summary>
    const int MaxLine = 998;

    /// <summary>Safe inside quotes, without escapes.</summary>
    static readonly SearchValues<char> PlainFileName = SearchValues.Create(
        " !#$%&'()*+,-.0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>attr-char, RFC 5987 §3.2.1: the part of RFC 2231's that all readers agree on.</summary>
    static readonly SearchValues<char> AttributeCharacters = SearchValues.Create(
        "!#$&+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~");

    public static void Write(ref OutputBuffer output, MimeAttachment attachment, Boundaries boundaries)
    {
        var content = attachment.Content.Span;
        var open = IsEmbeddedMessage(attachment.ContentType) && CanStandOpen(content) && !boundaries.OccurIn(content);
        var name = attachment.FileName;
        var plainName = name.Length <= MaxPlainFileName && !name.AsSpan().ContainsAnyExcept(PlainFileName) && !EncodedWord.Resembles(name);

        WriteContentType(ref output, IsEmbeddedMessage(attachment.ContentType) && !open ? MediaType.OctetStream : attachment.ContentType);
        WriteLegacyName(ref output, name, plainName);
        output.Write(open ? "Content-Transfer-Encoding: 7bit\r\n"u8 : "Content-Transfer-Encoding: base64\r\n"u8);
        output.StartLine();
        output.Write(attachment.Inline ? "Content-Disposition: inline;"u8 : "Content-Disposition: attachment;"u8);
        WriteFileName(ref output, name, plainName);
        if (attachment.ContentId is not null)
        {
            output.Write("Content-ID: <"u8);
            output.WriteAscii(attachment.ContentId);
            output.Write(">\r\n"u8);
        }
        output.NewLine();
        if (open)
            WriteOpen(ref output, content);
        else
            Base64Lines.Write(ref output, content);
    }

    /// <summary>Folds before each parameter that does not fit.</summary>
    static void WriteContentType(ref OutputBuffer output, ReadOnlySpan<char> type)
    {
        output.Write("Content-Type: "u8);
        while (true)
        {
            var end = EndOfParameter(type);
            if (output.Column + end > HeaderWriter.MaxLine && type is [' ', ..])
                output.NewLine();
            output.WriteAscii(type[..end]);
            output.Write((byte)';');
            if (end == type.Length)
                return;
            type = type[(end + 1)..];
        }
    }

    /// <summary>The index of the next semicolon outside quotes, or the end.</summary>
    static int EndOfParameter(ReadOnlySpan<char> type)
    {
        for (var i = 0; i < type.Length; i++)
        {
            if (type[i] == ';')
                return i;
            if (type[i] == '"')
                i += AddressSyntax.EndOfQuoted(type[i..]) - 1;
        }
        return type.Length;
    }

    /// <summary>name= was never standard for other scripts, but is what old readers know; the others take filename* first.</summary>
    static void WriteLegacyName(ref OutputBuffer output, string name, bool plainName)
    {
        output.Fold();
        output.Write("name=\""u8);
        if (plainName)
            output.WriteAscii(name);
        else
            EncodedWords.Write(ref output, name, inPhrase: true);
        output.Write("\"\r\n"u8);
        output.StartLine();
    }

    static void WriteFileName(ref OutputBuffer output, string name, bool plainName)
    {
        output.Fold();
        if (plainName)
        {
            output.Write("filename=\""u8);
            output.WriteAscii(name);
            output.Write("\"\r\n"u8);
            output.StartLine();
            return;
        }
        if (EncodedLength(name) + " filename*=utf-8''".Length <= HeaderWriter.MaxLine)
        {
            output.Write("filename*=utf-8''"u8);
            WriteEncoded(ref output, name, HeaderWriter.MaxLine);
            output.NewLine();
            return;
        }
        WriteSections(ref output, name);
    }

    /// <summary>RFC 2231 §3: the sections are numbered, only the first names the charset.</summary>
    static void WriteSections(ref OutputBuffer output, ReadOnlySpan<char> name)
    {
        for (var section = 0; ; section++)
        {
            output.Write("filename*"u8);
            output.WriteNumber(section);
            output.Write("*="u8);
            if (section == 0)
                output.Write("utf-8''"u8);
            name = name[WriteEncoded(ref output, name, HeaderWriter.MaxLine - 1)..];
            if (name.IsEmpty)
                break;
            output.Write((byte)';');
            output.Fold();
        }
        output.NewLine();
    }

    static int EncodedLength(string name)
    {
        var length = 0;
        foreach (var rune in name.EnumerateRunes())
            length += IsLiteral(rune) ? 1 : 3 * rune.Utf8SequenceLength;
        return length;
    }

    static bool IsLiteral(Rune rune) => rune.IsAscii && AttributeCharacters.Contains((char)rune.Value);

    /// <summary>Writes whole characters up to a column; returns how many UTF-16 units that were.</summary>
    static int WriteEncoded(ref OutputBuffer output, ReadOnlySpan<char> name, int maxColumn)
    {
        Span<byte> octets = stackalloc byte[4];
        var taken = 0;
        while (taken < name.Length)
        {
            Rune.DecodeFromUtf16(name[taken..], out var rune, out var units);
            var literal = IsLiteral(rune);
            if (output.Column + (literal ? 1 : 3 * rune.Utf8SequenceLength) > maxColumn)
                break;
            if (literal)
                output.Write((byte)rune.Value);
            else
            {
                foreach (var octet in octets[..rune.EncodeToUtf8(octets)])
                    output.WriteHex((byte)'%', octet);
            }
            taken += units;
        }
        return taken;
    }

    static bool IsEmbeddedMessage(string contentType) => contentType.StartsWith(EmbeddedMessage, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == EmbeddedMessage.Length || contentType[EmbeddedMessage.Length] == ';');

    /// <summary>
    /// A message inside a message may not be base64 (RFC 2046 §5.2.1). It stays open when it is ASCII in lines of legal
    /// length; any other goes out as a file.
    /// </summary>
    static bool CanStandOpen(ReadOnlySpan<byte> content)
    {
        if (!Ascii.IsValid(content) || content.Contains((byte)0))
            return false;
        while (!content.IsEmpty)
        {
            var end = content.IndexOfAny((byte)'\r', (byte)'\n');
            if ((end < 0 ? content.Length : end) > MaxLine)
                return false;
            if (end < 0)
                return true;
            content = content[(end + 1)..];
        }
        return true;
    }

    static void WriteOpen(ref OutputBuffer output, ReadOnlySpan<byte> content)
    {
        output.StartLine();
        while (!content.IsEmpty)
        {
            var end = content.IndexOfAny((byte)'\r', (byte)'\n');
            output.Write(end < 0 ? content : content[..end]);
            if (end < 0)
                return;
            output.NewLine();
            content = content[end..];
            content = content[(content is [(byte)'\r', (byte)'\n', ..] ? 2 : 1)..];
        }
    }
}
