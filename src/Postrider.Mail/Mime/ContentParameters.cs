using System.Globalization;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>The value of a Content-Type or Content-Disposition: the word in front, and its parameters (RFC 2045 §5.1, RFC 2231).</summary>
public sealed class ContentParameters
{
    /// <summary>More are not looked at; nobody writes so many.</summary>
    const int MaxParameters = 100;

    readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);

    ContentParameters(string value) => Value = value;

    /// <summary>What stands before the first semicolon, in lower case, without comments; empty for nothing.</summary>
    public string Value { get; }

    /// <summary>The parameter, its sections joined and decoded; null when there is none.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>The parameters, in no order that matters.</summary>
    public IReadOnlyDictionary<string, string> All => _values;

    /// <summary>Reads any text; what cannot be understood is left out.</summary>
    public static ContentParameters Parse(string text)
    {
        var reader = new ParameterReader(text);
        var parameters = new ContentParameters(reader.ReadValue().ToLowerInvariant());
        var sections = new Dictionary<string, SortedList<int, Section>>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < MaxParameters && reader.TryRead(out var name, out var value, out var quoted); i++)
            parameters.Add(name, value, quoted, sections);
        foreach (var (name, parts) in sections)
            parameters._values[name] = Join(parts);
        return parameters;
    }

    /// <summary>One part of a value in several (RFC 2231 §3).</summary>
    readonly record struct Section(string Text, bool IsEncoded);

    /// <summary><c>name</c>, <c>name*</c>, <c>name*0</c> or <c>name*0*</c>. The first of a name counts; the forms of RFC 2231 before
    /// the plain one, which is there for old readers.</summary>
    void Add(string name, string value, bool quoted, Dictionary<string, SortedList<int, Section>> sections)
    {
        var star = name.IndexOf('*', StringComparison.Ordinal);
        if (star < 0)
        {
            // RFC 2047 §5 forbids encoded words here; many write them all the same.
            _values.TryAdd(name, quoted || value.Contains("=?", StringComparison.Ordinal) ? HeaderText.Decode(value) : value);
            return;
        }
        var isEncoded = name.EndsWith('*');
        var digits = name.AsSpan(star + 1).TrimEnd('*');
        var number = 0;
        if (star == 0 || (!digits.IsEmpty && !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number)))
            return;
        if (!sections.TryGetValue(name[..star], out var parts))
            sections[name[..star]] = parts = [];
        parts.TryAdd(number, new Section(value, isEncoded));
    }

    /// <summary>The sections from 0 on without a gap. Octets are joined before they are decoded: writers cut inside characters.</summary>
    static string Join(SortedList<int, Section> parts)
    {
        string? charset = null;
        var octets = new List<byte>();
        var expected = 0;
        foreach (var (number, section) in parts)
        {
            if (number != expected++)
                break;
            var text = section.Text;
            if (number == 0 && section.IsEncoded && text.Split('\'', 3) is [var name, _, var rest])
                (charset, text) = (name, rest);
            if (section.IsEncoded)
                AddDecoded(text, octets);
            else
                octets.AddRange(Encoding.UTF8.GetBytes(text));
        }
        return Charsets.Decode(octets.ToArray(), string.IsNullOrEmpty(charset) ? null : charset);
    }

    static void AddDecoded(string text, List<byte> octets)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '%' && i + 2 < bytes.Length
                && byte.TryParse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var octet))
            {
                octets.Add(octet);
                i += 2;
            }
            else
                octets.Add(bytes[i]);
        }
    }
}

/// <summary>Goes through <c>value; name=value; name="value"</c> once, from left to right.</summary>
ref struct ParameterReader(ReadOnlySpan<char> text)
{
    ReadOnlySpan<char> _rest = text;

    /// <summary>What stands before the first semicolon.</summary>
    public string ReadValue() => TakeUntilSemicolon(out _);

    /// <summary>False at the end. Pieces without "=" are passed over.</summary>
    public bool TryRead(out string name, out string value, out bool quoted)
    {
        while (_rest is [';', ..])
        {
            _rest = _rest[1..];
            var end = _rest.IndexOfAny('=', ';');
            if (end < 0)
                break;
            name = _rest[..end].Trim(" \t").ToString();
            _rest = _rest[end..];
            if (_rest[0] == ';')
                continue;
            _rest = _rest[1..];
            value = TakeUntilSemicolon(out quoted);
            if (name.Length > 0)
                return true;
        }
        (name, value, quoted) = ("", "", false);
        return false;
    }

    /// <summary>Quoted strings without their quotes and escapes, comments, the white space around and whatever follows the quotes
    /// left out. Without quotes everything up to the semicolon counts:
    /// file names with spaces are found so.</summary>
    string TakeUntilSemicolon(out bool quoted)
    {
        var taken = new StringBuilder();
        quoted = false;
        var depth = 0;
        var i = 0;
        for (; i < _rest.Length; i++)
        {
            var c = _rest[i];
            if (depth == 0 && c == ';')
                break;
            if (depth == 0 && c == '"')
            {
                i = TakeQuoted(i, quoted ? new StringBuilder() : taken);
                quoted = true;
            }
            else if (c == '(' && (depth > 0 || IsAfterSpace(i)))
                depth++;
            else if (c == ')' && depth > 0)
                depth--;
            else if (depth > 0 && c == '\\')
                i++;
            else if (depth == 0 && !quoted && !(c is ' ' or '\t' && taken.Length == 0))
                taken.Append(c);
        }
        _rest = _rest[Math.Min(i, _rest.Length)..];
        return quoted ? taken.ToString() : taken.ToString().TrimEnd(' ', '\t');
    }

    /// <summary>A parenthesis inside a word is one of a careless file name, no comment.</summary>
    readonly bool IsAfterSpace(int i) => i > 0 && _rest[i - 1] is ' ' or '\t';

    /// <summary>Returns where the closing quote stands, or the last character.</summary>
    readonly int TakeQuoted(int start, StringBuilder taken)
    {
        for (var i = start + 1; i < _rest.Length; i++)
        {
            if (_rest[i] == '"')
                return i;
            if (_rest[i] == '\\' && i + 1 < _rest.Length)
                i++;
            taken.Append(_rest[i]);
        }
        return _rest.Length - 1;
    }
}
