using System.Buffers;
using System.Buffers.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Mime;

/// <summary>Writes the header of a message up to MIME-Version: fields in a fixed order, folded at 76 columns.</summary>
static class HeaderWriter
{
    /// <summary>RFC 5322 §2.1.1 asks for 78, RFC 2047 §2 for 76 in lines with encoded words: one limit does for both.</summary>
    public const int MaxLine = 76;

    /// <summary>Longer ASCII names go out as encoded words: these can be folded anywhere.</summary>
    const int MaxPlainName = 60;

    /// <summary>Longer words that hold white space are encoded, so that they can be folded.</summary>
    const int MaxJoinedWord = 60;

    static readonly SearchValues<char> PlainText = SearchValues.Create(
        "\t !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Words of atext with spaces between: a display name that needs no quotes (RFC 5322 §3.2.5).</summary>
    static readonly SearchValues<char> PlainPhrase = SearchValues.Create(
        " !#$%&'*+-/0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~");

    public static void WriteAll(ref OutputBuffer output, MimeMessage message)
    {
        WriteDate(ref output, message.Date);
        WriteMailbox(ref output, "From: "u8, message.From);
        if (message.Sender is not null)
            WriteMailbox(ref output, "Sender: "u8, message.Sender);
        WriteMailboxes(ref output, "Reply-To: "u8, message.ReplyTo);
        WriteMailboxes(ref output, "To: "u8, message.To);
        WriteMailboxes(ref output, "Cc: "u8, message.Cc);
        if (message.To.Count + message.Cc.Count == 0)
            output.Write("To: undisclosed-recipients:;\r\n"u8);
        output.Write("Message-ID: <"u8);
        output.WriteAscii(message.MessageId);
        output.Write(">\r\n"u8);
        output.StartLine();
        if (message.Subject is not null)
        {
            output.Write("Subject: "u8);
            WriteText(ref output, message.Subject);
            output.NewLine();
        }
        for (var i = 0; i < message.Headers.Count; i++)
            WriteField(ref output, message.Headers[i]);
        output.Write("MIME-Version: 1.0\r\n"u8);
        output.StartLine();
    }

    /// <summary>"R" is RFC 1123 with GMT at the end; RFC 5322 §3.3 wants the offset in digits.</summary>
    static void WriteDate(ref OutputBuffer output, DateTimeOffset date)
    {
        output.Write("Date: "u8);
        Utf8Formatter.TryFormat(date, output.Reserve(32), out var written, 'R');
        output.Advance(written - "GMT".Length);
        output.Write("+0000\r\n"u8);
        output.StartLine();
    }

    static void WriteField(ref OutputBuffer output, HeaderField field)
    {
        output.WriteAscii(field.Name);
        output.Write(": "u8);
        if (field.IsStructured)
            WriteStructured(ref output, field.Value);
        else
            WriteText(ref output, field.Value);
        output.NewLine();
    }

    /// <summary>ASCII of words that must stay as they are. White space between them means nothing: one space or a fold.</summary>
    static void WriteStructured(ref OutputBuffer output, ReadOnlySpan<char> value)
    {
        var first = true;
        foreach (var range in value.SplitAny(' ', '\t'))
        {
            var word = value[range];
            if (word.IsEmpty)
                continue;
            if (!first && output.Column + 1 + word.Length > MaxLine)
                output.Fold();
            else if (!first)
                output.Write((byte)' ');
            output.WriteAscii(word);
            first = false;
        }
    }

    /// <summary>
    /// Unstructured text (RFC 5322 §3.2.5). Words in other scripts are encoded with the white space between them, the rest stays readable.
    /// </summary>
    public static void WriteText(ref OutputBuffer output, ReadOnlySpan<char> text)
    {
        text = text.Trim(" \t");
        if (output.Column + text.Length <= MaxLine && IsPlain(text))
        {
            output.WriteAscii(text);
            return;
        }
        var words = new WordReader(text);
        while (words.Next(out var gap, out var word, out var encode))
        {
            // Where the line is full the fold comes before the white space, which stays.
            var lastColumn = encode ? EncodedWords.LastStart : MaxLine - word.Length;
            if (output.Column + gap.Length > lastColumn && (encode || !gap.IsEmpty))
            {
                output.NewLine();
                gap = gap.IsEmpty ? " " : gap;
            }
            output.WriteAscii(gap);
            if (encode)
                EncodedWords.Write(ref output, word, inPhrase: false);
            else
                output.WriteAscii(word);
        }
    }

    static bool IsPlain(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(PlainText) && !EncodedWord.Resembles(text);

    static void WriteMailbox(ref OutputBuffer output, ReadOnlySpan<byte> name, Mailbox mailbox)
    {
        output.Write(name);
        WriteMailbox(ref output, mailbox);
        output.NewLine();
    }

    static void WriteMailboxes(ref OutputBuffer output, ReadOnlySpan<byte> name, IReadOnlyList<Mailbox> mailboxes)
    {
        for (var i = 0; i < mailboxes.Count; i++)
        {
            if (i == 0)
                output.Write(name);
            else if (output.Column + ", ,".Length + LengthOf(mailboxes[i]) > MaxLine)
            {
                output.Write((byte)',');
                output.Fold();
            }
            else
                output.Write(", "u8);
            WriteMailbox(ref output, mailboxes[i]);
        }
        if (mailboxes.Count > 0)
            output.NewLine();
    }

    /// <summary>Near enough to decide where to fold: names that are encoded count as if they were not.</summary>
    static int LengthOf(Mailbox mailbox)
    {
        if (mailbox.Name is null)
            return mailbox.Address.Octets;
        var name = mailbox.Name.AsSpan();
        return mailbox.Address.Octets + name.Length + name.Count('"') + name.Count('\\') + "\"\" <>".Length;
    }

    static void WriteMailbox(ref OutputBuffer output, Mailbox mailbox)
    {
        if (mailbox.Name is null)
        {
            WriteAddress(ref output, mailbox.Address);
            return;
        }
        WriteName(ref output, mailbox.Name);
        if (output.Column + " <>,".Length + mailbox.Address.Octets > MaxLine)
            output.Fold();
        else
            output.Write((byte)' ');
        output.Write((byte)'<');
        WriteAddress(ref output, mailbox.Address);
        output.Write((byte)'>');
    }

    static void WriteName(ref OutputBuffer output, string name)
    {
        if (name.Length > MaxPlainName || !IsPlain(name))
        {
            if (output.Column > EncodedWords.LastStart)
                output.Fold();
            EncodedWords.Write(ref output, name, inPhrase: true);
        }
        else
            output.WriteAscii(IsPlainPhrase(name) ? name : AddressSyntax.Quote(name));
    }

    static bool IsPlainPhrase(ReadOnlySpan<char> name) => !name.ContainsAnyExcept(PlainPhrase)
        && name[0] != ' ' && name[^1] != ' ' && !name.Contains("  ", StringComparison.Ordinal);

    /// <summary>A-labels always: only a local part has no ASCII spelling.</summary>
    static void WriteAddress(ref OutputBuffer output, EmailAddress address)
    {
        if (address.NeedsSmtpUtf8)
            output.WriteUtf8(address.WrittenLocalPart);
        else
            output.WriteAscii(address.WrittenLocalPart);
        output.Write((byte)'@');
        output.WriteAscii(address.AsciiDomain);
    }

    /// <summary>
    /// Takes unstructured text apart into words, each with the white space before it; neighbours that must be encoded come as one.
    /// </summary>
    ref struct WordReader(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> _rest = text;

        public bool Next(out ReadOnlySpan<char> gap, out ReadOnlySpan<char> word, out bool encode)
        {
            var start = GapAt(_rest, 0);
            gap = _rest[..start];
            var end = EndOfWord(_rest, start, out encode);
            while (encode && end < _rest.Length)
            {
                var next = end + GapAt(_rest, end);
                var nextEnd = EndOfWord(_rest, next, out var alsoNext);
                if (!alsoNext)
                    break;
                end = nextEnd;
            }
            word = _rest[start..end];
            _rest = _rest[end..];
            return !word.IsEmpty;
        }

        /// <summary>The length of the white space there.</summary>
        static int GapAt(ReadOnlySpan<char> text, int at)
        {
            var length = text[at..].IndexOfAnyExcept(" \t");
            return length < 0 ? text.Length - at : length;
        }

        /// <summary>
        /// Lines are folded at single spaces only: of other white space many readers make one space where it stands at a fold. So it joins
        /// the words around it.
        /// </summary>
        static int EndOfWord(ReadOnlySpan<char> text, int start, out bool encode)
        {
            var end = start;
            var longest = HeaderField.MaxStructuredWord;
            while (true)
            {
                var length = text[end..].IndexOfAny(" \t");
                end = length < 0 ? text.Length : end + length;
                var gap = GapAt(text, end);
                if (gap == 0 || (gap == 1 && text[end] == ' '))
                    break;
                end += gap;
                longest = MaxJoinedWord;
            }
            encode = !IsPlain(text[start..end]) || end - start > longest;
            return end;
        }
    }
}
