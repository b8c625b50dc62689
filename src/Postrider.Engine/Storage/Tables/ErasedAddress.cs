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
        Spellings = [.. ((string[])[address, StoredAddress.Parse(address).ToString().ToLowerInvariant()]).Distinct()];
        _pattern = new Regex(string.Join('|', Spellings.Select(Regex.Escape)),
            RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    public string Pseudonym { get; }
    public string Normal { get; }

    /// <summary>In lower case.</summary>
    public IReadOnlyList<string> Spellings { get; }

    public bool Is(string stored) => StoredAddress.TryParse(stored, out var address) && StoredAddress.Normal(address) == Normal;

    public string? Replace(string? text) =>
        text is null ? null : _pattern.Replace(text, match => IsWhole(text, match) ? Pseudonym : match.Value);

    public bool IsIn(string? text) => text is not null && _pattern.Matches(text).Any(match => IsWhole(text, match));

    /// <summary>Not the end of a longer local part, nor the beginning of a longer domain: those are other people's.</summary>
    static bool IsWhole(string text, Match match)
    {
        var (before, behind) = (match.Index - 1, match.Index + match.Length);
        var endsBefore = before < 0 || !(char.IsLetterOrDigit(text[before]) || text[before] is '.' or '_' or '-' or '+')
            || IsEscape(text.AsSpan(0, match.Index));
        return endsBefore && (behind == text.Length || !(char.IsLetterOrDigit(text[behind]) || text[behind] is '-'
            || (text[behind] == '.' && behind + 1 < text.Length && char.IsLetterOrDigit(text[behind + 1]))));
    }

    /// <summary>In JSON a letter may be the end of a line break or of a character that is written as a number.</summary>
    static bool IsEscape(ReadOnlySpan<char> before) =>
        before is [.., '\\', 'n' or 'r' or 't' or 'b' or 'f'] or [.., '\\', 'u', _, _, _, _];

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
