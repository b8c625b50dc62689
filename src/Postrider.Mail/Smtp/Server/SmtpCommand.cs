namespace Postrider.Mail.Smtp.Server;

/// <summary>The commands of RFC 5321 §4.1.1 and of the extensions that are spoken.</summary>
enum SmtpVerb
{
    Unknown, Ehlo, Helo, Mail, Rcpt, Data, Bdat, Rset, Noop, Vrfy, Expn, Help, Quit, StartTls, Auth,
}

/// <summary>A command line, taken apart into verb and argument (RFC 5321 §4.1.1). Pure.</summary>
/// <param name="Argument">What follows the first space, without white space at the end, which RFC 5321 §4.1.1 says to tolerate.</param>
readonly record struct SmtpCommand(SmtpVerb Verb, string Argument)
{
    public static SmtpCommand Parse(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var word = space < 0 ? line : line[..space];
        var argument = space < 0 ? "" : line[(space + 1)..].TrimEnd(' ');
        return new SmtpCommand(VerbOf(word), argument);
    }

    static SmtpVerb VerbOf(string word) => word.ToUpperInvariant() switch
    {
        "EHLO" => SmtpVerb.Ehlo,
        "HELO" => SmtpVerb.Helo,
        "MAIL" => SmtpVerb.Mail,
        "RCPT" => SmtpVerb.Rcpt,
        "DATA" => SmtpVerb.Data,
        "BDAT" => SmtpVerb.Bdat,
        "RSET" => SmtpVerb.Rset,
        "NOOP" => SmtpVerb.Noop,
        "VRFY" => SmtpVerb.Vrfy,
        "EXPN" => SmtpVerb.Expn,
        "HELP" => SmtpVerb.Help,
        "QUIT" => SmtpVerb.Quit,
        "STARTTLS" => SmtpVerb.StartTls,
        "AUTH" => SmtpVerb.Auth,
        _ => SmtpVerb.Unknown,
    };

    /// <summary>
    /// The argument of EHLO and HELO: a name or an address literal (RFC 5321 §4.1.1.1). Underscores pass: machines are called so.
    /// </summary>
    public static bool IsClientName(string name)
    {
        if (name.Length is 0 or > 255)
            return false;
        var isLiteral = name is ['[', _, .., ']'];
        foreach (var c in isLiteral ? name.AsSpan(1..^1) : name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.') && c != (isLiteral ? ':' : '_'))
                return false;
        }
        return true;
    }
}
