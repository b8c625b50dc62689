using System.Buffers;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>Why a header field, or a text for one, was refused. <see cref="HeaderFaults.Describe"/> says it in words.</summary>
public enum HeaderFault
{
    /// <summary>It was not refused.</summary>
    None,

    /// <summary>A field that the message writes itself or that only mail servers may add.</summary>
    Forbidden,

    /// <summary>A line break or NUL in name or value: an attempt, or an accident, that would add headers of its own.</summary>
    Injection,

    /// <summary>A name that is empty, longer than 76 characters or holds other than printable ASCII, or a colon.</summary>
    InvalidName,

    /// <summary>A value with control characters or half surrogates, or one that this field's grammar has no place for.</summary>
    InvalidValue,
}

/// <summary>The words for each <see cref="HeaderFault"/>.</summary>
public static class HeaderFaults
{
    /// <summary>What is wrong, as the second half of a sentence: "it contains a line break or NUL".</summary>
    public static string Describe(this HeaderFault fault) => fault switch
    {
        HeaderFault.None => "nothing is wrong",
        HeaderFault.Forbidden => "this header is written by the server or has a field of its own",
        HeaderFault.Injection => "it contains a line break or NUL",
        HeaderFault.InvalidName => "the name must be 1 to 76 printable ASCII characters without colon",
        HeaderFault.InvalidValue => "the value contains control characters, is no Unicode text, or cannot be written in this header",
    };
}

/// <summary>
/// A further header field of a message. <see cref="TryCreate"/> is the only way to make one, so none can carry a second header, and none
/// can claim what only servers may say.
/// </summary>
public sealed record HeaderField
{
    /// <summary>Leaves room for colon, space and fold in 78 columns.</summary>
    const int MaxNameLength = 76;

    /// <summary>The longest word of a structured value: with the longest name on its line it stays under 998 (RFC 5322 §2.1.1).</summary>
    internal const int MaxStructuredWord = 900;

    /// <summary>ftext, RFC 5322 §3.6.8.</summary>
    static readonly SearchValues<char> NameCharacters = SearchValues.Create(
        "!\"#$%&'()*+,-./0123456789;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Written by the message itself from its own fields, or by servers on the way.</summary>
    static readonly FrozenSet<string> ForbiddenNames = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "Date", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "Subject", "MIME-Version",
        "Return-Path", "Received", "Received-SPF", "Authentication-Results", "DKIM-Signature", "DomainKey-Signature",
        "Delivered-To", "X-Original-To", "Apparently-To", "Errors-To");

    /// <summary>
    /// Families no part of which a user may write: body structure, chains of seals, somebody else's resending (it has a Bcc too).
    /// </summary>
    static readonly string[] ForbiddenPrefixes = ["Content-", "ARC-", "Resent-"];

    /// <summary>Fields made of tokens, ids or URIs: encoded words have no place in them (RFC 2047 §5).</summary>
    static readonly FrozenSet<string> StructuredNames = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Help", "List-Owner", "List-Post",
        "List-Archive", "Auto-Submitted", "Precedence", "Priority", "Importance", "Feedback-ID", "X-Auto-Response-Suppress", "Expires",
        "Supersedes", "Disposition-Notification-To");

    /// <summary>At most one each (RFC 5322 §3.6, RFC 2369 §2, RFC 2919 §3, RFC 8058 §3.1).</summary>
    static readonly FrozenSet<string> SingleNames = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "In-Reply-To", "References", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Help", "List-Owner",
        "List-Post", "List-Archive", "Auto-Submitted");

    HeaderField(string name, string value, bool isStructured) => (Name, Value, IsStructured) = (name, value, isStructured);

    /// <summary>As given; names are compared without regard to case.</summary>
    public string Name { get; }

    /// <summary>One line of text in any script, without surrounding white space; folded and encoded when it is written.</summary>
    public string Value { get; }

    /// <summary>True when a message may have only one field of this name.</summary>
    public bool IsSingle => SingleNames.Contains(Name);

    /// <summary>Value is ASCII and goes out as it is, folded at white space only.</summary>
    internal bool IsStructured { get; }

    /// <summary>Makes a field, or says why there can be none.</summary>
    public static bool TryCreate(string name, string value, [NotNullWhen(true)] out HeaderField? field, out HeaderFault fault)
    {
        field = null;
        fault = Check(name, value, out var structured);
        if (fault != HeaderFault.None)
            return false;
        field = new HeaderField(name, value.Trim(' ', '\t'), structured);
        return true;
    }

    static HeaderFault Check(string name, string value, out bool structured)
    {
        structured = false;
        if (name.Length is 0 or > MaxNameLength || name.AsSpan().ContainsAnyExcept(NameCharacters))
            return HeaderText.IsSafe(name, out var fault) || fault != HeaderFault.Injection ? HeaderFault.InvalidName : fault;
        if (IsForbidden(name))
            return HeaderFault.Forbidden;
        if (!HeaderText.IsSafe(value, out var unsafeValue))
            return unsafeValue;
        structured = StructuredNames.Contains(name);
        return structured && !FitsStructured(value) ? HeaderFault.InvalidValue : HeaderFault.None;
    }

    /// <summary>Whether no user may write this header.</summary>
    public static bool IsForbidden(string name)
    {
        foreach (var prefix in ForbiddenPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return ForbiddenNames.Contains(name);
    }

    static bool FitsStructured(ReadOnlySpan<char> value)
    {
        if (!Ascii.IsValid(value))
            return false;
        foreach (var word in value.SplitAny(' ', '\t'))
        {
            if (value[word].Length > MaxStructuredWord)
                return false;
        }
        return true;
    }
}
