using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Retention;

namespace Postrider.Storage.Tables;

/// <summary>An address wherever it is written, and what is put in its place.</summary>
sealed class ErasedAddress
{
    readonly Regex _pattern;

    public ErasedAddress(Erasure erasure)
    {
        var address = erasure.Address ?? throw new ArgumentException("The erasure is done.", nameof(erasure));
        Pseudonym = erasure.Pseudonym;
        Normal = address;
        // The domain with A-labels, and as people write it.
        var at = address.LastIndexOf('@') + 1;
        var spellings = ((string[])[address, address[..at] + AsPeopleWrite(address[at..])]).Distinct();
        _pattern = new Regex(string.Join('|', spellings.Select(s => string.Concat(s.EnumerateRunes().Select(Forms)))),
            RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    static string AsPeopleWrite(string domain)
    {
        try
        {
            return new IdnMapping().GetUnicode(domain);
        }
        catch (ArgumentException)
        {
            return domain; // an address in brackets, or A-labels that stand for nothing
        }
    }

    public bool IsOf(Erasure erasure) => erasure.Address == Normal && erasure.Pseudonym == Pseudonym;

    public string Pseudonym { get; }
    public string Normal { get; }

    /// <summary>A letter as it is, as JSON may write it (RFC 8259 §7), and as an address of the web does (RFC 3986 §2.1).</summary>
    static string Forms(Rune letter)
    {
        var forms = new List<string>();
        foreach (var form in (Rune[])[letter, Rune.ToUpperInvariant(letter)])
        {
            forms.Add(Regex.Escape(form.ToString()));
            // Twice where one JSON is a text inside another, as a template's test data.
            forms.Add(string.Concat(form.ToString().Select(unit => $@"\\{{1,2}}u{(int)unit:x4}")));
            forms.Add(string.Concat(Encoding.UTF8.GetBytes(form.ToString()).Select(octet => $"%{octet:x2}")));
        }
        return $"(?:{string.Join('|', forms.Distinct())})";
    }

    public bool Is(string stored) => StoredAddress.TryParse(stored, out var address) && StoredAddress.Normal(address) == Normal;

    public string? Replace(string? text) =>
        text is null ? null : _pattern.Replace(text, match => IsWhole(text, match) ? Pseudonym : match.Value);

    public bool IsIn(string? text) => text is not null && _pattern.Matches(text).Any(match => IsWhole(text, match));

    /// <summary>Not the end of a longer local part, nor the beginning of a longer domain: those are other people's.</summary>
    static bool IsWhole(string text, Match match)
    {
        var before = text.AsSpan(0, match.Index);
        var behind = text.AsSpan(match.Index + match.Length);
        if (!before.IsEmpty && before is not [.., '\\', 'n' or 'r' or 't' or 'b' or 'f']
            && (Last(before) is '.' or '_' or '-' or '+' || char.IsLetterOrDigit(Last(before))))
            return false;
        if (behind.IsEmpty)
            return true;
        var next = First(behind, out var length);
        return !char.IsLetterOrDigit(next) && next != '-'
            && (next != '.' || behind.Length == length || !char.IsLetterOrDigit(First(behind[length..], out _)));
    }

    static char Last(ReadOnlySpan<char> text) => text switch
    {
        [.., '\\', 'u', _, _, _, _] when Hex(text[^4..]) is { } unit => unit,
        [.., '%', _, _] when Hex(text[^2..]) is { } octet => octet,
        _ => text[^1],
    };

    static char First(ReadOnlySpan<char> text, out int length)
    {
        var unit = text switch
        {
            ['\\', 'u', _, _, _, _, ..] => Hex(text[2..6]),
            ['%', _, _, ..] => Hex(text[1..3]),
            _ => null,
        };
        length = unit is null ? 1 : text[0] == '%' ? 3 : 6;
        return unit ?? text[0];
    }

    /// <summary>A part of a longer character counts as a letter.</summary>
    static char? Hex(ReadOnlySpan<char> digits) =>
        !ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit) ? null
        : digits.Length == 2 && unit >= 0x80 ? 'x' : (char)unit;

    public byte[] Replace(byte[] text) => Encoding.UTF8.GetBytes(Replace(Encoding.UTF8.GetString(text))!);

    /// <summary>An event without the address in what servers said, and without what tells of the person's own device.</summary>
    public EventDetails Replace(EventDetails details) => details with
    {
        Remark = Replace(details.Remark),
        Attempt = details.Attempt is { } attempt ? attempt with { Outcomes = [.. attempt.Outcomes.Select(Replace)] } : null,
        Feedback = details.Feedback is { } feedback
            ? feedback with
            {
                Reply = feedback.Reply is { } reply ? Replace(reply) : null,
                Url = Replace(feedback.Url),
                UserAgent = null,
                Ip = null,
            }
            : null,
    };

    AttemptOutcome Replace(AttemptOutcome of) => of with
    {
        Outcome = of.Outcome with { Reply = Replace(of.Outcome.Reply) },
        Verdict = Replace(of.Verdict),
    };

    Reply Replace(Reply reply) => reply with { Text = Replace(reply.Text)!, Command = Replace(reply.Command) };
}
