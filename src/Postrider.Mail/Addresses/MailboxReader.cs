using System.Buffers;

namespace Postrider.Mail.Addresses;

/// <summary>Reads mailboxes and lists of them from left to right (RFC 5322 §3.4, the obsolete forms of §4.4 without routes).</summary>
/// <remarks>One pass, no recursion: nested comments are counted, so that no input is deep enough to hurt.</remarks>
ref struct MailboxReader(ReadOnlySpan<char> text, AddressRules rules)
{
    /// <summary>What ends an unquoted word of a display name. The dot is not among them: "John Q. Public" is common (obs-phrase).</summary>
    static readonly SearchValues<char> EndsWord = SearchValues.Create(" \t()<>[]:;@\\,\"");

    /// <summary>What ends a local part or a domain that is neither quoted nor in brackets.</summary>
    static readonly SearchValues<char> EndsAddressPart = SearchValues.Create(" \t()<>:;@,\"");

    readonly ReadOnlySpan<char> _text = text;
    readonly AddressRules _rules = rules;
    int _at;

    /// <summary>
    /// A text that reads back as the same name without quotes: words of atom characters, dots and letters, one space between.
    /// </summary>
    public static bool IsPlainPhrase(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text[0] == ' ' || text[^1] == ' ' || text.Contains("  ", StringComparison.Ordinal))
            return false;
        if (text.Contains("=?", StringComparison.Ordinal))
            return false;
        foreach (var c in text)
        {
            if (c != ' ' && EndsWord.Contains(c))
                return false;
        }
        return true;
    }

    readonly bool AtEnd => _at == _text.Length;

    readonly bool IsAt(char c) => _at < _text.Length && _text[_at] == c;

    readonly ReadOnlySpan<char> Rest => _text[_at..];

    /// <summary>Exactly one mailbox and nothing else.</summary>
    public AddressFault ReadOnly(out Mailbox? mailbox)
    {
        mailbox = null;
        if (SkipFiller(out _) is not AddressFault.None and var badStart)
            return badStart;
        if (ReadMailbox(out var read, out var isGroup) is not AddressFault.None and var fault)
            return fault;
        if (isGroup)
            return AddressFault.Group;
        if (SkipFiller(out _) is not AddressFault.None and var badEnd)
            return badEnd;
        if (!AtEnd)
            return IsAt('>') ? AddressFault.AngleBrackets : AddressFault.TrailingText;
        mailbox = read;
        return AddressFault.None;
    }

    public AddressFault ReadList(List<Mailbox> list)
    {
        var (inGroup, sawGroup, needsComma) = (false, false, false);
        while (true)
        {
            if (SkipFiller(out _) is not AddressFault.None and var badFiller)
                return badFiller;
            if (AtEnd)
                return inGroup ? AddressFault.Group : list.Count == 0 && !sawGroup ? AddressFault.Empty : AddressFault.None;
            if (IsAt(',') || (inGroup && IsAt(';')))
            {
                inGroup &= IsAt(',');
                needsComma &= !IsAt(',');
                _at++;
                continue;
            }
            if (needsComma)
                return IsAt('>') ? AddressFault.AngleBrackets : AddressFault.TrailingText;
            if (ReadMailbox(out var mailbox, out var isGroup) is not AddressFault.None and var fault)
                return fault;
            if (isGroup && inGroup)
                return AddressFault.Group;
            if (isGroup)
                inGroup = sawGroup = true;
            else
                list.Add(mailbox!);
            needsComma = !isGroup;
        }
    }

    /// <summary>A mailbox, or the name and colon that open a group.</summary>
    AddressFault ReadMailbox(out Mailbox? mailbox, out bool isGroup)
    {
        (mailbox, isGroup) = (null, false);
        var start = _at;
        var name = new PhraseBuilder(_text);
        while (!AtEnd)
        {
            var before = _at;
            switch (_text[_at])
            {
                case '<':
                    return ReadAngle(name.Build(out var text), text, out mailbox);
                case '@':
                    _at = start;
                    return ReadAddress(null, out mailbox);
                case ':' when before > start:
                    _at++;
                    isGroup = true;
                    return AddressFault.None;
                case ',' or ';':
                    return before > start ? AddressFault.MissingAt : AddressFault.Empty;
                case '>':
                    return AddressFault.AngleBrackets;
                case ')' or '[' or ']' or '\\' or ':':
                    return AddressFault.NameNeedsQuotes;
                case '"':
                    var length = AddressSyntax.EndOfQuoted(Rest);
                    if (length < 0)
                        return AddressFault.NameQuotes;
                    _at += length;
                    name.AddQuoted(before, _at);
                    break;
                default:
                    _at += EndOfWord(Rest);
                    name.AddWord(before, _at);
                    break;
            }
            if (SkipFiller(out var spaced) is not AddressFault.None and var fault)
                return fault;
            if (spaced)
                name.AddSpace();
        }
        return TextSafety.Find(_text[start..], allowTab: true) switch
        {
            TextDanger.LineBreak or TextDanger.Control => AddressFault.ControlCharacter,
            _ => start == _at ? AddressFault.Empty : AddressFault.MissingAt,
        };
    }

    /// <summary>An encoded word is one word whatever is in it: senders leave commas and parentheses in them.</summary>
    static int EndOfWord(ReadOnlySpan<char> rest)
    {
        if (EncodedWord.TryFind(rest, out var length))
            return length;
        var end = rest.IndexOfAny(EndsWord);
        return end < 0 ? rest.Length : Math.Max(end, 1);
    }

    AddressFault ReadAngle(AddressFault badName, string? name, out Mailbox? mailbox)
    {
        mailbox = null;
        if (badName != AddressFault.None)
            return badName;
        _at++;
        if (SkipFiller(out _) is not AddressFault.None and var badFiller)
            return badFiller;
        if (IsAt('>'))
            return AddressFault.Empty;
        if (ReadAddress(name, out var read) is not AddressFault.None and var fault)
            return fault;
        if (SkipFiller(out _) is not AddressFault.None and var badEnd)
            return badEnd;
        if (!IsAt('>'))
            return AddressFault.AngleBrackets;
        _at++;
        mailbox = read;
        return AddressFault.None;
    }

    /// <summary>addr-spec: white space and comments may stand around its "@".</summary>
    AddressFault ReadAddress(string? name, out Mailbox? mailbox)
    {
        mailbox = null;
        if (!TakePart('"', out var local))
            return AddressFault.LocalPartQuotes;
        if (SkipFiller(out var spaced) is not AddressFault.None and var badFiller)
            return badFiller;
        if (!IsAt('@'))
            return spaced && !AtEnd && !IsAt('>') ? AddressFault.LocalPartCharacter : AddressFault.MissingAt;
        _at++;
        if (SkipFiller(out _) is not AddressFault.None and var badDomain)
            return badDomain;
        if (!TakePart('[', out var domain))
            return AddressFault.IpLiteralMalformed;
        if (IsAt('@'))
            return AddressFault.DomainCharacter;
        if (!EmailAddress.TryCreate(local, domain, _rules, out var address, out var fault))
            return fault;
        mailbox = new Mailbox(name, address);
        return AddressFault.None;
    }

    /// <summary>A local part or domain up to what ends it, or to the closing quote or bracket. False when that is missing.</summary>
    bool TakePart(char opening, out ReadOnlySpan<char> part)
    {
        var rest = Rest;
        var length = rest.IndexOfAny(EndsAddressPart);
        if (rest is [var first, ..] && first == opening)
            length = opening == '"' ? AddressSyntax.EndOfQuoted(rest) : rest.IndexOf(']') + 1;
        else if (length < 0)
            length = rest.Length;
        part = length > 0 ? rest[..length] : default;
        _at += part.Length;
        return length > 0 || part.IsEmpty && (rest.IsEmpty || rest[0] != opening);
    }

    /// <summary>White space and comments (CFWS, RFC 5322 §3.2.2).</summary>
    AddressFault SkipFiller(out bool any)
    {
        var start = _at;
        var depth = 0;
        for (; !AtEnd; _at++)
        {
            var c = _text[_at];
            if (c == '(')
                depth++;
            else if (depth > 0 && c == ')')
                depth--;
            else if (depth > 0 && c == '\\' && _at + 1 < _text.Length)
                _at++;
            else if (depth == 0 && c is not (' ' or '\t'))
                break;
        }
        any = _at > start;
        if (depth > 0)
            return AddressFault.CommentUnclosed;
        return any && TextSafety.Find(_text[start.._at], allowTab: true) is TextDanger.LineBreak or TextDanger.Control
            ? AddressFault.ControlCharacter
            : AddressFault.None;
    }
}
