using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Smtp.Server;

/// <summary>Reads the arguments of MAIL and RCPT: a path in angle brackets and parameters (RFC 5321 §4.1.2). Pure.</summary>
static class SmtpPathCommand
{
    /// <summary>RFC 3461 §4.4, as written.</summary>
    const int MaxEnvelopeIdLength = 100;

    /// <summary>RFC 3461 §4.2, as written.</summary>
    const int MaxOriginalRecipientLength = 500;

    /// <returns>The refusal; <see langword="null"/> with <paramref name="mail"/> set when there is none.</returns>
    public static SmtpReply? ReadMail(string argument, SmtpServerOptions options, out SmtpMailFrom mail)
    {
        mail = new SmtpMailFrom();
        if (!TryTakePath(argument, "FROM:", out var path, out var rest))
            return new SmtpReply(501, "5.5.4", "write MAIL FROM:<address>");
        if (ReadParameters(rest, out var parameters) is { } malformed)
            return malformed;
        foreach (var (keyword, value) in parameters)
        {
            if (With(mail, keyword, value, options) is not { } known)
                return new SmtpReply(555, "5.5.4", $"MAIL parameter {keyword} is not supported");
            if (known.Refusal is { } refusal)
                return refusal;
            mail = known.Mail;
        }
        if (!mail.SmtpUtf8 && !Ascii.IsValid(argument))
            return SmtpReplies.NeedsUtf8;
        if (path.Length == 0)
            return null;
        if (!EmailAddress.TryParse(path, options.AddressRules, out var address, out var fault))
            return new SmtpReply(553, "5.1.7", $"sender refused: {fault.Describe()}");
        mail = mail with { ReversePath = address };
        return null;
    }

    /// <param name="smtpUtf8">What MAIL announced.</param>
    /// <inheritdoc cref="ReadMail"/>
    public static SmtpReply? ReadRecipient(
        string argument, bool smtpUtf8, SmtpServerOptions options, out SmtpRecipient? recipient)
    {
        recipient = null;
        if (!TryTakePath(argument, "TO:", out var path, out var rest))
            return new SmtpReply(501, "5.5.4", "write RCPT TO:<address>");
        if (ReadParameters(rest, out var parameters) is { } malformed)
            return malformed;
        if (!smtpUtf8 && !Ascii.IsValid(argument))
            return SmtpReplies.NeedsUtf8;
        // RFC 5321 §4.5.1 wants it from every server with mailboxes of its own; here are none.
        if (path.Equals("postmaster", StringComparison.OrdinalIgnoreCase))
            return new SmtpReply(550, "5.1.1", "no mailboxes here, give the address with its domain");
        if (!EmailAddress.TryParse(path, options.AddressRules, out var address, out var fault))
            return new SmtpReply(553, "5.1.3", $"recipient refused: {fault.Describe()}");
        var read = new SmtpRecipient { Address = address };
        foreach (var (keyword, value) in parameters)
        {
            switch (keyword)
            {
                case "NOTIFY" when TryReadNotify(value, out var notify):
                    read = read with { Notify = notify };
                    break;
                case "ORCPT" when TryReadOriginal(value, out var original):
                    read = read with { OriginalRecipient = original };
                    break;
                case "NOTIFY" or "ORCPT":
                    return Malformed(keyword);
                default:
                    return new SmtpReply(555, "5.5.4", $"RCPT parameter {keyword} is not supported");
            }
        }
        recipient = read;
        return null;
    }

    /// <returns><see langword="null"/> for a parameter that is not known.</returns>
    static (SmtpMailFrom Mail, SmtpReply? Refusal)? With(SmtpMailFrom mail, string keyword, string? value, SmtpServerOptions options)
    {
        switch (keyword)
        {
            case "SIZE" when TryReadSize(value, out var size):
                return (mail with { Size = size }, size > options.MaxMessageBytes ? SmtpReplies.TooLarge(options.MaxMessageBytes) : null);
            case "BODY" when Is(value, "7BIT"):
                return (mail with { Body = SmtpBody.SevenBit }, null);
            case "BODY" when Is(value, "8BITMIME"):
                return (mail with { Body = SmtpBody.EightBitMime }, null);
            case "SMTPUTF8" when value is null:
                return (mail with { SmtpUtf8 = true }, null);
            case "RET" when Is(value, "FULL"):
                return (mail with { Return = SmtpDsnReturn.Full }, null);
            case "RET" when Is(value, "HDRS"):
                return (mail with { Return = SmtpDsnReturn.Headers }, null);
            case "ENVID" when value is { Length: <= MaxEnvelopeIdLength } && TryDecodeXtext(value, out var id):
                return (mail with { EnvelopeId = id }, null);
            // RFC 4954 §5: taken, and nothing is made of it, for we trust no client to name another sender.
            case "AUTH" when value == "<>" || (value is not null && TryDecodeXtext(value, out _)):
                return (mail, null);
            case "SIZE" or "BODY" or "SMTPUTF8" or "RET" or "ENVID" or "AUTH":
                return (mail, Malformed(keyword));
            default:
                return null;
        }
    }

    static SmtpReply Malformed(string keyword) => new(501, "5.5.4", $"parameter {keyword} is malformed");

    static bool Is(string? value, string expected) => string.Equals(value, expected, StringComparison.OrdinalIgnoreCase);

    /// <summary>RFC 1870 §4 allows 20 digits; what does not fit a long is no size of a message.</summary>
    static bool TryReadSize(string? value, out long size)
    {
        size = 0;
        return value is { Length: <= 20 } && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out size);
    }

    /// <summary>
    /// The path after the keyword, without brackets and source route; and what follows it, with its space. Spaces after the colon are no
    /// SMTP, but many a script sends one, and nothing depends on it.
    /// </summary>
    static bool TryTakePath(string argument, string keyword, [NotNullWhen(true)] out string? path, out string rest)
    {
        (path, rest) = (null, "");
        if (!argument.StartsWith(keyword, StringComparison.OrdinalIgnoreCase))
            return false;
        var text = argument[keyword.Length..].TrimStart(' ');
        if (text is not ['<', ..])
            return false;
        var end = EndOfPath(text);
        if (end < 0 || (end + 1 < text.Length && text[end + 1] != ' '))
            return false;
        rest = text[(end + 1)..];
        path = text[1..end];
        // RFC 5321 §4.1.2: a source route (<@a,@b:user@c>) must be taken and should be ignored.
        if (path is ['@', ..] && path.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
            path = path[(colon + 1)..];
        return true;
    }

    /// <summary>The index of the closing bracket, which is not one inside quotes; -1 when there is none.</summary>
    static int EndOfPath(string text)
    {
        var quoted = false;
        for (var i = 1; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '"':
                    quoted = !quoted;
                    break;
                case '\\' when quoted:
                    i++;
                    break;
                case '>' when !quoted:
                    return i;
            }
        }
        return -1;
    }

    /// <summary>RFC 5321 §4.1.2: esmtp-param = keyword ["=" value], each after a space; none twice.</summary>
    static SmtpReply? ReadParameters(string text, out List<(string Keyword, string? Value)> parameters)
    {
        parameters = [];
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var keyword = (equals < 0 ? word : word[..equals]).ToUpperInvariant();
            var value = equals < 0 ? null : word[(equals + 1)..];
            if (keyword.Length == 0 || keyword[0] == '-' || !keyword.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') || value == "")
                return new SmtpReply(501, "5.5.4", "parameter is malformed");
            if (parameters.Any(p => p.Keyword == keyword))
                return new SmtpReply(501, "5.5.4", $"parameter {keyword} is given twice");
            parameters.Add((keyword, value));
        }
        return null;
    }

    static bool TryReadNotify(string? value, out SmtpNotify notify)
    {
        notify = SmtpNotify.Unspecified;
        foreach (var word in (value ?? "").Split(','))
        {
            var flag = word.ToUpperInvariant() switch
            {
                "NEVER" => SmtpNotify.Never,
                "SUCCESS" => SmtpNotify.Success,
                "FAILURE" => SmtpNotify.Failure,
                "DELAY" => SmtpNotify.Delay,
                _ => SmtpNotify.Unspecified,
            };
            if (flag == SmtpNotify.Unspecified)
                return false;
            notify |= flag;
        }
        return notify == SmtpNotify.Never || !notify.HasFlag(SmtpNotify.Never);
    }

    /// <summary>RFC 3461 §4.2: <c>rfc822;xtext</c>; RFC 6533 §3: <c>utf-8;…</c>.</summary>
    static bool TryReadOriginal(string? value, [NotNullWhen(true)] out string? address)
    {
        address = null;
        return value is { Length: <= MaxOriginalRecipientLength } && value.IndexOf(';', StringComparison.Ordinal) is > 0 and var semicolon
            && TryDecodeXtext(value[(semicolon + 1)..], out address);
    }

    /// <summary>RFC 3461 §4: printable ASCII but "+" and "=" as it is, any octet as "+" and two upper-case hexadecimal digits. What it
    /// stands for must be text on one line. Under SMTPUTF8 UTF-8 stands for itself (RFC 6533 §3).</summary>
    static bool TryDecodeXtext(string text, [NotNullWhen(true)] out string? decoded)
    {
        decoded = null;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '=')
                return false;
            if (text[i] != '+')
            {
                result.Append(text[i]);
                continue;
            }
            if (i + 2 >= text.Length || !byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                    out var octet) || octet is < 32 or > 126)
                return false;
            result.Append((char)octet);
            i += 2;
        }
        decoded = result.ToString();
        return decoded.Length > 0;
    }
}
