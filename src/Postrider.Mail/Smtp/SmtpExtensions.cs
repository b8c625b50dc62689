using System.Globalization;

namespace Postrider.Mail.Smtp;

/// <summary>What a server offers in its answer to EHLO, valid for the present TLS state of the connection only (RFC 3207 §4.2).</summary>
public sealed record SmtpExtensions
{
    /// <summary>A server that answered HELO only: nothing may be used.</summary>
    public static SmtpExtensions None { get; } = new();

    /// <summary>Commands may be sent in groups (RFC 2920).</summary>
    public bool Pipelining { get; init; }

    /// <summary>TLS may be started on this connection (RFC 3207).</summary>
    public bool StartTls { get; init; }

    /// <summary>Content may hold octets above 127 (RFC 6152).</summary>
    public bool EightBitMime { get; init; }

    /// <summary>Addresses and headers may hold UTF-8 (RFC 6531).</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>Replies carry <c>x.y.z</c> codes (RFC 2034).</summary>
    public bool EnhancedStatusCodes { get; init; }

    /// <summary>BDAT may replace DATA (RFC 3030).</summary>
    public bool Chunking { get; init; }

    /// <summary>RET and ENVID may be given (RFC 3461).</summary>
    public bool Dsn { get; init; }

    /// <summary>The size of a message may be declared (RFC 1870).</summary>
    public bool Size { get; init; }

    /// <summary>Largest message in octets that the server says it takes; 0 when it names no limit.</summary>
    public long MaxMessageBytes { get; init; }

    /// <summary>Names of SASL mechanisms in upper case, in the server's order (RFC 4954).</summary>
    public IReadOnlyList<string> AuthMechanisms { get; init; } = [];

    /// <summary>Reads the reply to EHLO: the first line greets, every other one names an extension. Unknown ones are left out.</summary>
    public static SmtpExtensions Parse(SmtpReply ehlo)
    {
        var found = new SmtpExtensions();
        foreach (var line in ehlo.Text.Split('\n').Skip(1))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words is [])
                continue;
            // "AUTH=PLAIN LOGIN" is how servers wrote it before RFC 2554; some still send both lines.
            if (words[0].StartsWith("AUTH=", StringComparison.OrdinalIgnoreCase))
                words = ["AUTH", words[0]["AUTH=".Length..], .. words[1..]];
            found = found.With(words[0].ToUpperInvariant(), words[1..]);
        }
        return found;
    }

    SmtpExtensions With(string keyword, string[] parameters) => keyword switch
    {
        "PIPELINING" => this with { Pipelining = true },
        "STARTTLS" => this with { StartTls = true },
        "8BITMIME" => this with { EightBitMime = true },
        "SMTPUTF8" => this with { SmtpUtf8 = true },
        "ENHANCEDSTATUSCODES" => this with { EnhancedStatusCodes = true },
        "CHUNKING" => this with { Chunking = true },
        "DSN" => this with { Dsn = true },
        "SIZE" => this with { Size = true, MaxMessageBytes = Limit(parameters) },
        "AUTH" => this with { AuthMechanisms = [.. AuthMechanisms.Union(parameters.Select(p => p.ToUpperInvariant()))] },
        _ => this,
    };

    /// <summary>RFC 1870 §3: absent or 0 states no limit; what is not a number states none either.</summary>
    static long Limit(string[] parameters)
        => parameters is [var text, ..] && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : 0;
}
