using System.Buffers.Binary;
using System.Text;

namespace Postrider.Mail.Dns;

/// <summary>How an answer's bytes are to be taken.</summary>
enum DnsReplyKind
{
    /// <summary>Not to our question: somebody guessing, or a late one. Wait on.</summary>
    NotOurs,

    /// <summary>Too long for UDP: ask again by TCP.</summary>
    Truncated,

    /// <summary>The server knows no EDNS: ask again without.</summary>
    NotExtended,

    /// <summary>It can be read; see the answer.</summary>
    Read,
}

/// <summary>Answers as bytes (RFC 1035 §4.1), read with hard limits: nothing in them is believed.</summary>
/// <remarks>A compressed name points backwards only, each time further than before, so no loop can be built of it; a name has at most 255
/// octets and a message at most 1,000 records.</remarks>
ref struct DnsReply
{
    const int MaxRecords = 1_000;
    const int MaxAliases = 8;
    const int MaxNameBytes = 255;
    const int TypeCname = 5;

    readonly ReadOnlySpan<byte> _reply;
    int _at;

    DnsReply(ReadOnlySpan<byte> reply) => _reply = reply;

    /// <param name="query">What was asked: its id and its question must come back.</param>
    /// <param name="reply">As it came.</param>
    public static DnsReplyKind Read(
        ReadOnlySpan<byte> query, string name, DnsRecordType type, ReadOnlySpan<byte> reply, out DnsAnswer answer)
    {
        answer = DnsAnswer.Failed("the answer cannot be read");
        if (reply.Length < DnsQuery.HeaderBytes || !reply[..2].SequenceEqual(query[..2]) || (reply[2] & 0x80) == 0)
            return DnsReplyKind.NotOurs;
        var code = reply[3] & 0x0F;
        var extended = BinaryPrimitives.ReadUInt16BigEndian(query[10..]) > 0;
        // RFC 6891 §7: who does not know EDNS says FORMERR, some NOTIMP, with or without the question.
        if (extended && code is 1 or 4)
            return DnsReplyKind.NotExtended;
        var reader = new DnsReply(reply) { _at = DnsQuery.HeaderBytes };
        var wanted = name.TrimEnd('.');
        if (BinaryPrimitives.ReadUInt16BigEndian(reply[4..]) != 1
            || !reader.TryName(out var asked) || !asked.Equals(wanted, StringComparison.OrdinalIgnoreCase)
            || !reader.TryNumber(out var askedType) || askedType != (int)type || !reader.TryNumber(out _))
            return DnsReplyKind.NotOurs;
        if ((reply[2] & 0x02) != 0)
            return DnsReplyKind.Truncated;
        answer = code switch
        {
            0 => reader.Records(wanted, type, BinaryPrimitives.ReadUInt16BigEndian(reply[6..])),
            3 => DnsAnswer.Absent,
            2 => DnsAnswer.Failed("the server could not find out (SERVFAIL)"),
            5 => DnsAnswer.Failed("the server refused (REFUSED)"),
            _ => DnsAnswer.Failed($"the server answered with code {code}"),
        };
        return DnsReplyKind.Read;
    }

    /// <summary>Those of the name asked for, or of the one that it is another name of (CNAME).</summary>
    DnsAnswer Records(string name, DnsRecordType type, int count)
    {
        var unreadable = DnsAnswer.Failed("the answer cannot be read");
        if (count > MaxRecords)
            return unreadable;
        var aliases = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var found = new List<(string Owner, int Order, string Text)>();
        for (var i = 0; i < count; i++)
        {
            if (!TryName(out var owner) || !TryNumber(out var kind) || !TryNumber(out var family) || !TrySkip(4)
                || !TryNumber(out var length) || length > _reply.Length - _at)
                return unreadable;
            var end = _at + length;
            if (family == 1 && kind == TypeCname)
            {
                if (!TryName(out var target) || _at != end)
                    return unreadable;
                aliases.TryAdd(owner, target);
            }
            else if (family == 1 && kind == (int)type)
            {
                if (!TryData(type, end, out var order, out var text))
                    return unreadable;
                found.Add((owner, order, text));
            }
            _at = end;
        }
        var canonical = name;
        for (var hops = 0; hops < MaxAliases && aliases.TryGetValue(canonical, out var target); hops++)
            canonical = target;
        string[] records =
        [
            .. found.Where(record => record.Owner.Equals(canonical, StringComparison.OrdinalIgnoreCase))
                .OrderBy(record => record.Order).Select(record => record.Text),
        ];
        return records.Length == 0 ? DnsAnswer.Absent : new DnsAnswer { Outcome = DnsOutcome.Found, Records = records };
    }

    bool TryData(DnsRecordType type, int end, out int order, out string text)
    {
        (order, text) = (0, "");
        if (type == DnsRecordType.Mx)
            return TryNumber(out order) && TryName(out text) && _at == end;
        var strings = new StringBuilder();
        while (_at < end)
        {
            var length = _reply[_at++];
            if (length > end - _at)
                return false;
            strings.Append(Encoding.Latin1.GetString(_reply.Slice(_at, length)));
            _at += length;
        }
        text = strings.ToString();
        return true;
    }

    bool TrySkip(int octets)
    {
        _at += octets;
        return _at <= _reply.Length;
    }

    bool TryNumber(out int number)
    {
        number = 0;
        if (_reply.Length - _at < 2)
            return false;
        number = BinaryPrimitives.ReadUInt16BigEndian(_reply[_at..]);
        _at += 2;
        return true;
    }

    /// <summary>Ends behind the name, wherever its pointers led; <c>.</c> is the root.</summary>
    bool TryName(out string name)
    {
        name = "";
        var text = new StringBuilder();
        var at = _at;
        var behind = -1;
        var limit = _at;    // a pointer must lead before this
        while (true)
        {
            if (at >= _reply.Length)
                return false;
            int length = _reply[at];
            if (length == 0)
            {
                _at = behind < 0 ? at + 1 : behind;
                name = text.Length == 0 ? "." : text.ToString();
                return true;
            }
            if ((length & 0xC0) == 0xC0)
            {
                if (at + 1 >= _reply.Length)
                    return false;
                var target = ((length & 0x3F) << 8) | _reply[at + 1];
                if (target >= limit)
                    return false;
                behind = behind < 0 ? at + 2 : behind;
                at = limit = target;
                continue;
            }
            // RFC 1035 §4.1.4: the other two forms are reserved.
            if (length > 63 || at + 1 + length > _reply.Length || text.Length + length + 1 > MaxNameBytes)
                return false;
            if (text.Length > 0)
                text.Append('.');
            // A dot inside a label would make another name of it.
            var label = _reply.Slice(at + 1, length);
            if (label.Contains((byte)'.'))
                return false;
            text.Append(Encoding.Latin1.GetString(label));
            at += 1 + length;
        }
    }
}
