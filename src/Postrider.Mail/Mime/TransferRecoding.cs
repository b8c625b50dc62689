using System.Buffers;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>
/// Encodes those parts of a message anew that cannot travel as they are: lines over 998 octets, and octets above 127 towards servers
/// without 8BITMIME (RFC 6152 §3). Every other byte stays. Signed and encrypted content is never touched.
/// </summary>
public static class TransferRecoding
{
    /// <summary>False when a part that would have to change may not, or something outside of all parts cannot travel.</summary>
    /// <param name="message">As it was read.</param>
    /// <param name="sevenBit">Octets above 127 must go as well. In headers they stay: there is no way to encode them that all readers
    /// undo.</param>
    /// <param name="bytes">The message, CRLF at every line end it had one.</param>
    public static bool TryRecode(MimeEntity message, bool sevenBit, out ReadOnlyMemory<byte> bytes)
    {
        var recoder = new Recoder(message.Whole, sevenBit);
        bytes = default;
        if (!recoder.Write(message, isMessage: true))
            return false;
        bytes = recoder.Finish();
        var header = message.Whole.Span[..message.Headers.Length];
        return !CanonicalLines.HasLongLine(bytes.Span) && (!sevenBit || OctetsAbove127(bytes.Span) == OctetsAbove127(header));
    }

    static int OctetsAbove127(ReadOnlySpan<byte> bytes)
    {
        var count = 0;
        foreach (var octet in bytes)
            count += octet >> 7;
        return count;
    }

    /// <summary>Writes a message anew, part by part.</summary>
    sealed class Recoder(ReadOnlyMemory<byte> original, bool sevenBit)
    {
        readonly ArrayBufferWriter<byte> _output = new(original.Length + (original.Length / 4) + 256);

        /// <summary>How much of the original is dealt with.</summary>
        int _done;

        /// <param name="entity">What is next.</param>
        /// <param name="isMessage">It has a header of its own kind: MIME-Version stands there (RFC 2045 §4).</param>
        public bool Write(MimeEntity entity, bool isMessage)
        {
            if (!Needs(entity.Whole.Span))
                return true;
            if (entity.MediaType is "multipart/signed" or "multipart/encrypted")
                return false;
            if (entity.Parts.Count == 0)
                return WriteLeaf(entity, isMessage);
            // Its own word on the parts would not be true any more (RFC 2045 §6.4).
            if (sevenBit && entity.Headers.Find("Content-Transfer-Encoding") is not null)
                WriteHeader(entity, "7bit"u8, isMessage);
            foreach (var part in entity.Parts)
            {
                if (!Write(part, entity.IsMessage))
                    return false;
            }
            return true;
        }

        public ReadOnlyMemory<byte> Finish()
        {
            CopyTo(original.Length);
            return _output.WrittenMemory;
        }

        bool Needs(ReadOnlySpan<byte> bytes) => CanonicalLines.HasLongLine(bytes) || (sevenBit && !Ascii.IsValid(bytes));

        bool WriteLeaf(MimeEntity leaf, bool isMessage)
        {
            if (!Needs(leaf.Body.Span))
                return true;
            // RFC 2046 §5.1 and §5.2: what holds other entities is never encoded itself.
            if (leaf.IsMultipart || leaf.MediaType.StartsWith("message/", StringComparison.Ordinal))
                return false;
            var content = leaf.Decode();
            var asText = leaf.MediaType.StartsWith("text/", StringComparison.Ordinal) && OctetsAreFew(content.Span);
            WriteHeader(leaf, asText ? "quoted-printable"u8 : "base64"u8, isMessage);
            CopyTo(leaf.Start + leaf.Headers.Length);
            // The header was damaged and the body started without an empty line.
            if (leaf.Headers.Length == leaf.Headers.FieldsEnd)
                _output.Write("\r\n"u8);
            var buffer = new OutputBuffer(_output);
            if (asText)
                QuotedPrintable.Write(ref buffer, content.Span);
            else
                Base64Lines.Write(ref buffer, content.Span);
            // The last line of the message has no delimiter behind it that would bring a line end.
            if (leaf.Start + leaf.Whole.Length == original.Length && buffer.Column > 0)
                buffer.NewLine();
            buffer.Flush();
            _done = leaf.Start + leaf.Whole.Length;
            return true;
        }

        /// <summary>The header with another Content-Transfer-Encoding; up to its last field.</summary>
        void WriteHeader(MimeEntity entity, ReadOnlySpan<byte> encoding, bool isMessage)
        {
            foreach (var field in entity.Headers.Fields)
            {
                if (!field.Is("Content-Transfer-Encoding"))
                    continue;
                CopyTo(entity.Start + field.Start);
                _done += field.Bytes.Length;
            }
            CopyTo(entity.Start + entity.Headers.FieldsEnd);
            if (entity.Headers.Fields.Count > 0 && entity.Headers.Fields[^1].Bytes.Span is not [.., (byte)'\n'])
                _output.Write("\r\n"u8);
            if (isMessage && entity.Headers.Find("MIME-Version") is null)
                _output.Write("MIME-Version: 1.0\r\n"u8);
            _output.Write("Content-Transfer-Encoding: "u8);
            _output.Write(encoding);
            _output.Write("\r\n"u8);
        }

        void CopyTo(int end)
        {
            if (end <= _done)
                return;
            _output.Write(original.Span[_done..end]);
            _done = end;
        }

        /// <summary>Up to a sixth quoted-printable is the shorter one, and people can read it.</summary>
        static bool OctetsAreFew(ReadOnlySpan<byte> content) => OctetsAbove127(content) * 6L <= content.Length;
    }
}
