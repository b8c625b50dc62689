using System.Buffers;
using System.Text;

namespace Postrider.Tracking;

/// <summary>Plain text as it is to be sent.</summary>
/// <param name="Remark">Why its links stay as they are; null: they do not.</param>
public readonly record struct RewrittenText(string Text, string? Remark);

/// <summary>Puts other addresses into the links of a mail's plain text. Every other character stays.</summary>
/// <remarks>Plain text does not say where an address ends (RFC 3986 Appendix C): one in which mail programs may find another end
/// stays.</remarks>
public static class TextRewriter
{
    /// <summary>As many as HTML may have elements: each becomes some 200 characters.</summary>
    const int MaxLinks = 5_000;

    /// <summary>What a sentence puts behind an address, and no program takes for its end.</summary>
    static readonly SearchValues<char> Behind = SearchValues.Create(".,;:!?'*_~([{|}`");

    /// <summary>Inside an address programs stop at some of these and pass over others (RFC 3986 §2 has none of them).</summary>
    static readonly SearchValues<char> Doubtful = SearchValues.Create("\\^`{|}");

    /// <summary>Before <c>http</c>: it is a part of something else, such as another address or its scheme.</summary>
    static readonly SearchValues<char> Joining = SearchValues.Create("+=&%?#/@\\$");

    /// <param name="link">The address in place of that of a link; null: it stays.</param>
    public static RewrittenText Rewrite(string text, Func<string, string?> link)
    {
        // RFC 9580 §7: the signature holds for the text as it is.
        if (text.Contains("-----BEGIN PGP SIGNED MESSAGE-----", StringComparison.Ordinal))
            return new RewrittenText(text, "the links of its text lead to where they did: it is signed");
        var written = new StringBuilder(text.Length);
        var (done, links) = (0, 0);
        for (var at = 0; text.IndexOf("http", at, StringComparison.OrdinalIgnoreCase) is >= 0 and var start; at = RunEnd(text, start + 4))
        {
            if (AddressAt(text, start) is not { } address || link(address) is not { } other)
                continue;
            if (++links > MaxLinks)
                return new RewrittenText(text, $"the links of its text lead to where they did: there are more than {MaxLinks}");
            written.Append(text, done, start - done).Append(other);
            done = start + address.Length;
        }
        return new RewrittenText(written.Append(text, done, text.Length - done).ToString(), null);
    }

    /// <summary>Null where there is none, or where it may be read as another.</summary>
    static string? AddressAt(string text, int start)
    {
        var run = text.AsSpan(start, RunEnd(text, start) - start);
        if (!run.StartsWith("http://", StringComparison.OrdinalIgnoreCase) && !run.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
            return null;
        var before = text.AsSpan(0, start);
        if (before is [.., var last] && (char.IsAsciiLetterOrDigit(last) || Joining.Contains(last)))
            return null;
        // "<https://…>" and "<URL:https://…>" say themselves where it ends; one that goes on in the next line does not end here.
        var isBracketed = before is [.., '<'] || before.EndsWith("<URL:", StringComparison.OrdinalIgnoreCase);
        var end = start + run.Length;
        if (isBracketed && (end == text.Length || text[end] != '>'))
            return null;
        var address = isBracketed ? run : WithoutBehind(run);
        var isQuoted = before is [.., '\''];
        return IsClear(address) && !(isQuoted && address.Contains('\'')) ? address.ToString() : null;
    }

    /// <summary>Up to what no address goes over: white space, brackets and quotes around it, and punctuation of other scripts.</summary>
    static int RunEnd(string text, int from)
    {
        while (from < text.Length && text[from] is > ' ' and not ('<' or '>' or '"' or '\x7f') and var c
            && (c < '\x80' || !(char.IsWhiteSpace(c) || char.IsControl(c) || char.IsPunctuation(c) || char.IsSymbol(c))))
            from++;
        return from;
    }

    /// <summary>A closing bracket that was not opened inside belongs to the sentence.</summary>
    static ReadOnlySpan<char> WithoutBehind(ReadOnlySpan<char> run)
    {
        var (round, square) = (run.Count(')') - run.Count('('), run.Count(']') - run.Count('['));
        while (run is [.. var rest, var last] && (Behind.Contains(last) || (last == ')' && round > 0) || (last == ']' && square > 0)))
        {
            round += last switch { ')' => -1, '(' => 1, _ => 0 };
            square += last switch { ']' => -1, '[' => 1, _ => 0 };
            run = rest;
        }
        return run;
    }

    /// <summary>Whether everybody finds the same end: programs differ on letters beyond ASCII, and on brackets that do not match.</summary>
    static bool IsClear(ReadOnlySpan<char> address)
    {
        var (round, square) = (0, 0);
        foreach (var c in address)
        {
            round += c switch { '(' => 1, ')' => -1, _ => 0 };
            square += c switch { '[' => 1, ']' => -1, _ => 0 };
            if (c >= '\x80' || round < 0 || square < 0 || Doubtful.Contains(c))
                return false;
        }
        return round == 0 && square == 0;
    }
}
