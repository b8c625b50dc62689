using System.Buffers;
using System.Globalization;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What the server itself says, and how replies are written.</summary>
static class SmtpReplies
{
    /// <summary>RFC 5321 §4.5.3.1.5: 512 with code and line end; what is longer is cut.</summary>
    const int MaxTextOctets = 480;

    public static readonly SmtpReply Ok = new(250, "2.0.0", "OK");
    public static readonly SmtpReply Goodbye = new(221, "2.0.0", "goodbye");
    public static readonly SmtpReply ReadyForTls = new(220, "2.0.0", "ready to start TLS");
    public static readonly SmtpReply StartContent = new(354, null, "end data with <CRLF>.<CRLF>");
    public static readonly SmtpReply CannotVerify = new(252, "2.5.0", "cannot verify the address, but will try to deliver");
    public static readonly SmtpReply Help = new(214, "2.0.0", "RFC 5321");

    public static readonly SmtpReply ShuttingDown = new(421, "4.3.2", "shutting down, try again");
    public static readonly SmtpReply TimedOut = new(421, "4.4.2", "waited too long");
    public static readonly SmtpReply TooManyConnections = new(421, "4.7.0", "too many connections");
    public static readonly SmtpReply TooManyErrors = new(421, "4.7.0", "too many errors");
    public static readonly SmtpReply TooManyIdleCommands = new(421, "4.7.0", "too many commands without a message");
    public static readonly SmtpReply TooManyGuesses = new(421, "4.7.0", "too many failed authentications");
    public static readonly SmtpReply InternalError = new(451, "4.3.0", "internal error, try again later");
    public static readonly SmtpReply NoMemory = new(452, "4.3.1", "too many messages are being received, try again later");
    public static readonly SmtpReply TooManyRecipients = new(452, "4.5.3", "too many recipients, send the rest in another message");

    public static readonly SmtpReply BareLineEnd = new(500, "5.5.2", "lines must end in CR LF");
    public static readonly SmtpReply LineTooLong = new(500, "5.5.2", "line too long");
    public static readonly SmtpReply NotText = new(500, "5.5.2", "command is not printable UTF-8");
    public static readonly SmtpReply Unknown = new(500, "5.5.2", "unknown command");
    public static readonly SmtpReply NotImplemented = new(502, "5.5.1", "command not implemented");
    public static readonly SmtpReply NoParameters = new(501, "5.5.4", "this command takes no parameters");
    public static readonly SmtpReply HelloFirst = new(503, "5.5.1", "say EHLO first");
    public static readonly SmtpReply MailFirst = new(503, "5.5.1", "say MAIL first");
    public static readonly SmtpReply RecipientFirst = new(503, "5.5.1", "say RCPT first");
    public static readonly SmtpReply NoRecipients = new(554, "5.5.1", "no valid recipients");
    public static readonly SmtpReply NestedMail = new(503, "5.5.1", "sender was given already");
    public static readonly SmtpReply DataAfterChunks = new(503, "5.5.1", "DATA cannot follow BDAT in one transaction");
    public static readonly SmtpReply NotInTransaction = new(503, "5.5.1", "not during a transaction");
    public static readonly SmtpReply AlreadyEncrypted = new(503, "5.5.1", "TLS is active already");
    public static readonly SmtpReply AlreadyAuthenticated = new(503, "5.5.1", "authenticated already");
    public static readonly SmtpReply InjectedBeforeTls = new(554, "5.5.1", "commands in clear text after STARTTLS");
    public static readonly SmtpReply EncryptionRequired = new(538, "5.7.11", "authentication needs TLS: say STARTTLS first");
    public static readonly SmtpReply UnknownMechanism = new(504, "5.5.4", "mechanism not known: use PLAIN or LOGIN");
    public static readonly SmtpReply NotBase64 = new(501, "5.5.2", "not base64");
    public static readonly SmtpReply AuthCancelled = new(501, "5.7.0", "authentication cancelled");
    public static readonly SmtpReply BadCredentials = new(535, "5.7.8", "credentials are not valid");
    public static readonly SmtpReply NeedsUtf8 = new(553, "5.6.7", "an address or header that is not ASCII needs SMTPUTF8");
    public static readonly SmtpReply BareLineEndInContent = new(550, "5.6.0", "message has a CR or LF that is not part of CR LF");
    public static readonly SmtpReply NulInContent = new(550, "5.6.0", "message has a NUL octet: encode it");

    public static SmtpReply TooLarge(long limit) =>
        new(552, "5.3.4", string.Create(CultureInfo.InvariantCulture, $"message is larger than {limit} octets"));

    /// <summary>RFC 5321 §4.2: each line with the code, all but the last with a hyphen; RFC 2034 §4: each with the enhanced code.</summary>
    public static void Write(IBufferWriter<byte> output, SmtpReply reply)
    {
        var rest = reply.Text.AsSpan();
        while (true)
        {
            var end = rest.IndexOf('\n');
            WriteLine(output, reply, end < 0 ? rest : rest[..end], isLast: end < 0);
            if (end < 0)
                return;
            rest = rest[(end + 1)..];
        }
    }

    static void WriteLine(IBufferWriter<byte> output, SmtpReply reply, ReadOnlySpan<char> text, bool isLast)
    {
        var span = output.GetSpan(MaxTextOctets + 32);
        reply.Code.TryFormat(span, out var used, provider: CultureInfo.InvariantCulture);
        span[used++] = isLast ? (byte)' ' : (byte)'-';
        if (reply.Enhanced is { } enhanced)
        {
            foreach (var c in enhanced)
                span[used++] = (byte)c;
            span[used++] = (byte)' ';
        }
        // Texts may quote what a client said: whatever is not printable ASCII must not reach a terminal or a parser.
        foreach (var c in text[..Math.Min(text.Length, MaxTextOctets)])
            span[used++] = c is >= ' ' and <= '~' ? (byte)c : (byte)'?';
        span[used++] = (byte)'\r';
        span[used++] = (byte)'\n';
        output.Advance(used);
    }
}
