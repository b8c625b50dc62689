using System.Buffers.Text;
using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>A message that came whole and has no fault. It is complete once its id is known: that gives the Message-ID and the Date that
/// it may lack.</summary>
sealed class RawMessage
{
    /// <summary>Nobody may read who got a blind copy (RFC 5322 §3.6.3).</summary>
    static readonly string[] NeverPassedOn = ["Bcc", "Resent-Bcc"];

    readonly WholeMessage _message;
    readonly List<HeaderLine> _removed = [];
    readonly bool _lacksId;
    readonly bool _lacksDate;

    /// <param name="message">The message.</param>
    /// <param name="removed">Names of header fields that are not passed on, beside those that never are; a star at the end stands for
    /// anything.</param>
    public RawMessage(WholeMessage message, IReadOnlyList<string> removed)
    {
        _message = message;
        _lacksId = IsMissing("Message-ID");
        _lacksDate = IsMissing("Date");
        foreach (var field in message.Headers.Fields)
        {
            if (IsRemoved(field, NeverPassedOn) || IsRemoved(field, removed)
                || (_lacksId && field.Is("Message-ID")) || (_lacksDate && field.Is("Date")))
                _removed.Add(field);
        }
    }

    /// <summary>The bytes to send: those that came, where nothing must change. The same for the same id.</summary>
    public ReadOnlyMemory<byte> For(MessageId id, Mailbox from)
    {
        var bytes = _message.Bytes;
        var fields = _message.Headers.Fields;
        // A line of mailbox files may stand in front of the first field.
        var start = fields.Count > 0 ? fields[0].Start : 0;
        if (_removed.Count == 0 && !_lacksId && !_lacksDate)
            return bytes[start..];
        var added = Encoding.ASCII.GetBytes(Added(id, from));
        var left = bytes.Length - start;
        foreach (var field in _removed)
            left -= field.Bytes.Length;
        var result = new byte[added.Length + left];
        added.CopyTo(result, 0);
        var target = added.Length;
        foreach (var field in _removed)
        {
            Copy(bytes.Span[start..field.Start]);
            start = field.Start + field.Bytes.Length;
        }
        Copy(bytes.Span[start..]);
        return result;

        void Copy(ReadOnlySpan<byte> piece)
        {
            piece.CopyTo(result.AsSpan(target));
            target += piece.Length;
        }
    }

    string Added(MessageId id, Mailbox from)
    {
        var added = "";
        if (_lacksDate)
        {
            Span<byte> date = stackalloc byte[32];
            // "R" is RFC 1123 with GMT at the end; RFC 5322 §3.3 wants the offset in digits.
            Utf8Formatter.TryFormat(id.At, date, out var length, 'R');
            added = $"Date: {Encoding.ASCII.GetString(date[..(length - "GMT".Length)])}+0000\r\n";
        }
        return _lacksId ? $"{added}Message-ID: <{MessageIdHeader.Of(id, from)}>\r\n" : added;
    }

    bool IsMissing(string name) => _message.Headers.Find(name) is not { } field || field.Value.Length == 0;

    static bool IsRemoved(HeaderLine field, IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (name.EndsWith('*') ? field.StartsWith(name.AsSpan()[..^1]) : field.Is(name))
                return true;
        }
        return false;
    }
}
