namespace Postrider.Mail.Smtp;

/// <summary>What an SMTP server said: three digits, the enhanced code when there was one, and the text of all lines.</summary>
/// <param name="Code">200 to 599; the last line decides (RFC 5321 §4.2.1), and all lines carry the same one.</param>
/// <param name="Enhanced">Class, subject and detail as <c>x.y.z</c> (RFC 3463); <see langword="null"/> when the server gave none.</param>
/// <param name="Text">The lines without codes, joined by LF, control characters replaced by spaces. Never holds a CR. May be empty.</param>
public readonly record struct SmtpReply(int Code, string? Enhanced, string Text)
{
    /// <summary>2xx: done.</summary>
    public bool IsPositive => Code is >= 200 and < 300;

    /// <summary>3xx: go on with what was announced.</summary>
    public bool IsIntermediate => Code is >= 300 and < 400;

    /// <summary>4xx: refused for now.</summary>
    public bool IsTransient => Code is >= 400 and < 500;

    /// <summary>5xx: refused for good.</summary>
    public bool IsPermanent => Code is >= 500 and < 600;

    /// <summary>421: the server says this and closes the connection, at any time (RFC 5321 §3.8).</summary>
    public bool IsClosing => Code == 421;

    /// <summary>The reply on one line, as it is shown to people and written to logs.</summary>
    public override string ToString()
    {
        var text = Text.Contains('\n', StringComparison.Ordinal) ? Text.Replace('\n', ' ') : Text;
        return Enhanced is null ? $"{Code} {text}" : $"{Code} {Enhanced} {text}";
    }
}
