using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Mime;

/// <summary>One header field where it stands in a message, byte by byte.</summary>
public readonly struct HeaderLine
{
    readonly int _nameLength;
    readonly int _valueStart;

    internal HeaderLine(ReadOnlyMemory<byte> bytes, int start, int nameLength, int valueStart) =>
        (Bytes, Start, _nameLength, _valueStart) = (bytes, start, nameLength, valueStart);

    /// <summary>The whole field: name, value with its folds, and the line end, which only the last line of a message may lack.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Where it starts, counted from the first byte of its header.</summary>
    public int Start { get; }

    /// <summary>As written, without the colon.</summary>
    public string Name => Encoding.ASCII.GetString(Bytes.Span[.._nameLength]);

    /// <summary>What follows the colon, with its folds and without the last line end.</summary>
    public ReadOnlyMemory<byte> RawValue => Bytes[_valueStart..LineEnds.TrimEnd(Bytes.Span).Length];

    /// <summary>On one line (RFC 5322 §2.2.3), without surrounding white space. UTF-8, or Windows-1252 where it cannot be that.</summary>
    public string Value => Unfold(RawValue.Span);

    /// <summary><see cref="Value"/> with its encoded words decoded: unstructured text such as a subject, for people. What is no text or
    /// would end the line is shown as U+FFFD.</summary>
    public string Text => HeaderText.Decode(Value) is var text && HeaderText.IsSafe(text, out _) ? text : Harmless(text);

    /// <summary>Whether the field has this name, in whatever case.</summary>
    public bool Is(ReadOnlySpan<char> name) => Ascii.EqualsIgnoreCase(Bytes.Span[.._nameLength], name);

    /// <summary>Whether the name of the field starts so, in whatever case.</summary>
    public bool StartsWith(ReadOnlySpan<char> name) =>
        _nameLength >= name.Length && Ascii.EqualsIgnoreCase(Bytes.Span[..name.Length], name);

    static string Harmless(string text)
    {
        var harmless = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            harmless.Append(Rune.IsControl(rune) && rune.Value != '\t' || rune.Value is 0x2028 or 0x2029 ? Rune.ReplacementChar : rune);
        return harmless.ToString();
    }

    static string Unfold(ReadOnlySpan<byte> raw)
    {
        var text = Charsets.Guess(raw);
        if (text.AsSpan().IndexOfAny('\r', '\n') < 0)
            return text.Trim(' ', '\t');
        var line = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is not ('\r' or '\n'))
                line.Append(c);
        }
        return line.ToString().Trim(' ', '\t');
    }
}

/// <summary>The header of a message or of a part: its fields in the order they stand.</summary>
public sealed class HeaderBlock
{
    readonly List<HeaderLine> _fields;

    internal HeaderBlock(List<HeaderLine> fields, int length, int fieldsEnd, int? damagedAt) =>
        (_fields, Length, FieldsEnd, DamagedAt) = (fields, length, fieldsEnd, damagedAt);

    /// <summary>All fields, in their order; names may repeat.</summary>
    public IReadOnlyList<HeaderLine> Fields => _fields;

    /// <summary>Bytes up to the body, the empty line included.</summary>
    public int Length { get; }

    /// <summary>Bytes up to the end of the last field, without the empty line.</summary>
    public int FieldsEnd { get; }

    /// <summary>Where the first line starts that is neither field nor fold nor empty: the body is taken to start there, unless it was
    /// passed over. Null when there is none.</summary>
    public int? DamagedAt { get; }

    /// <summary>Reads the header that the bytes start with. Never fails on damage, see <see cref="DamagedAt"/>; false beyond the
    /// limits.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, MimeLimits limits, out HeaderBlock header, out MimeFault fault) =>
        new HeaderScanner(bytes, limits).TryRead(out header, out fault);

    /// <summary>
    /// Reads groups of fields with empty lines between, as in <c>message/delivery-status</c> (RFC 3464 §2.1) and
    /// <c>message/feedback-report</c> (RFC 5965 §3). Lines that are no fields are passed over.
    /// </summary>
    public static bool TryReadGroups(ReadOnlyMemory<byte> bytes, MimeLimits limits, out IReadOnlyList<HeaderBlock> groups,
        out MimeFault fault)
    {
        var found = new List<HeaderBlock>();
        groups = found;
        fault = MimeFault.None;
        while (!bytes.IsEmpty)
        {
            if (!new HeaderScanner(bytes, limits) { PassOverDamage = true }.TryRead(out var group, out fault))
                return false;
            if (group.Fields.Count > 0)
                found.Add(group);
            if (found.Count > limits.MaxParts)
            {
                fault = MimeFault.TooManyParts;
                return false;
            }
            bytes = bytes[group.Length..];
        }
        return true;
    }

    /// <summary>The first field of this name; null when there is none.</summary>
    public HeaderLine? Find(ReadOnlySpan<char> name)
    {
        foreach (var field in _fields)
        {
            if (field.Is(name))
                return field;
        }
        return null;
    }

    /// <summary>How many fields have this name.</summary>
    public int Count(ReadOnlySpan<char> name)
    {
        var count = 0;
        foreach (var field in _fields)
            count += field.Is(name) ? 1 : 0;
        return count;
    }

    /// <summary>The mailboxes of all fields of this name, such as To, in their order.</summary>
    /// <returns>False, with the reason, when one of the fields is no list of addresses; <paramref name="mailboxes"/> has what could be
    /// read before it.</returns>
    public bool TryReadMailboxes(ReadOnlySpan<char> name, AddressRules rules, out IReadOnlyList<Mailbox> mailboxes, out AddressFault fault)
    {
        var all = new List<Mailbox>();
        mailboxes = all;
        fault = AddressFault.None;
        foreach (var field in _fields)
        {
            if (!field.Is(name))
                continue;
            if (!MailboxList.TryParse(field.Value, rules, out var some, out fault))
                return false;
            all.AddRange(some);
        }
        return true;
    }
}

/// <summary>Finds the fields of a header, line by line, each byte once.</summary>
ref struct HeaderScanner(ReadOnlyMemory<byte> bytes, MimeLimits limits)
{
    readonly ReadOnlyMemory<byte> _bytes = bytes;
    readonly ReadOnlySpan<byte> _span = bytes.Span;
    readonly List<HeaderLine> _fields = [];
    int _at;

    /// <summary>Lines that are no fields do not end the header.</summary>
    public bool PassOverDamage { get; init; }

    /// <summary>Asked for lines that start with two hyphens: whether the line there ends the part that this is the header of.</summary>
    public Func<int, bool>? IsDelimiter { get; init; }

    public bool TryRead(out HeaderBlock header, out MimeFault fault)
    {
        int? damagedAt = null;
        var fieldsEnd = 0;
        // The line that mailbox files put in front ("From ann@example.com Thu Jan  1 …"), also when somebody has quoted it.
        if (_span.StartsWith("From "u8) || _span.StartsWith(">From "u8))
            _at = LineEnds.NextLine(_span, 0);
        while (true)
        {
            fault = Check();
            if (fault != MimeFault.None)
                break;
            var start = _at;
            if (start == _span.Length || (IsDelimiter is not null && _span[start..].StartsWith("--"u8) && IsDelimiter(start)))
                break;
            if (LineEnds.LengthAt(_span, start) is > 0 and var empty)
            {
                _at += empty;
                break;
            }
            var nameLength = NameLength(_span[start..], out var valueStart);
            if (nameLength > 0)
            {
                TakeField(nameLength, valueStart);
                fieldsEnd = _at;
                continue;
            }
            // A fold that continues nothing is damage of its own, but no body starts so.
            damagedAt ??= start;
            if (!PassOverDamage && _span[start] is not ((byte)' ' or (byte)'\t'))
                break;
            _at = LineEnds.NextLine(_span, start);
        }
        header = new HeaderBlock(_fields, _at, fieldsEnd, damagedAt);
        return fault == MimeFault.None;
    }

    readonly MimeFault Check() =>
        _at > limits.MaxHeaderBytes ? MimeFault.HeaderTooLong
        : _fields.Count > limits.MaxFields ? MimeFault.TooManyFields
        : _fields.Count > 0 && _fields[^1].Bytes.Length > limits.MaxFieldBytes ? MimeFault.FieldTooLong
        : MimeFault.None;

    void TakeField(int nameLength, int valueStart)
    {
        var start = _at;
        do
            _at = LineEnds.NextLine(_span, _at);
        while (_at < _span.Length && _span[_at] is (byte)' ' or (byte)'\t' && _at - start <= limits.MaxHeaderBytes);
        _fields.Add(new HeaderLine(_bytes[start.._at], start, nameLength, valueStart));
    }

    /// <summary>The length of the field name there; 0 when it is none. White space before the colon is obsolete, but legal to read
    /// (RFC 5322 §4.5).</summary>
    static int NameLength(ReadOnlySpan<byte> line, out int valueStart)
    {
        valueStart = 0;
        var length = line.IndexOfAnyExceptInRange((byte)'!', (byte)'~') is >= 0 and var end ? end : line.Length;
        if (line[..length].IndexOf((byte)':') is >= 0 and var colon)
        {
            valueStart = colon + 1;
            return colon;
        }
        var at = length;
        while (at < line.Length && line[at] is (byte)' ' or (byte)'\t')
            at++;
        if (at == line.Length || line[at] != ':')
            return 0;
        valueStart = at + 1;
        return length;
    }
}

/// <summary>Line ends as they are found: CRLF, or LF alone.</summary>
static class LineEnds
{
    /// <summary>The length of the line end at a place; 0 when there is none.</summary>
    public static int LengthAt(ReadOnlySpan<byte> bytes, int at) =>
        bytes[at..] switch
        {
            [(byte)'\r', (byte)'\n', ..] => 2,
            [(byte)'\n', ..] => 1,
            _ => 0,
        };

    /// <summary>Where the line after this place's starts, or the end.</summary>
    public static int NextLine(ReadOnlySpan<byte> bytes, int at) =>
        bytes[at..].IndexOf((byte)'\n') is >= 0 and var end ? at + end + 1 : bytes.Length;

    /// <summary>Without the one line end it may have.</summary>
    public static ReadOnlySpan<byte> TrimEnd(ReadOnlySpan<byte> bytes) =>
        bytes is [.. var text, (byte)'\r', (byte)'\n'] ? text : bytes is [.. var other, (byte)'\n'] ? other : bytes;
}
