using System.Buffers;

namespace Postrider.Mail.Smtp.Server;

/// <summary>Why content is refused whatever else it says.</summary>
enum SmtpContentFault
{
    None,
    BareLineEnd,
    Nul,
}

/// <summary>
/// Reads content as it arrives, in pieces of any size: takes transparency dots away, finds the end, and notices what no reader should
/// have to make sense of. Pure.
/// </summary>
/// <remarks>
/// Only CRLF ends a line here, so only CRLF.CRLF can end content (RFC 5321 §4.1.1.4). After a bare CR or LF the line goes on: a dot behind
/// it means nothing, and the message is refused at its true end. That is what keeps mail from being smuggled (CVE-2023-51764).
/// </remarks>
/// <param name="dots">True for DATA; chunks (RFC 3030) have no dots and no end.</param>
sealed class SmtpContentDecoder(bool dots)
{
    static readonly SearchValues<byte> Special = SearchValues.Create("\r\n\0"u8);

    Place _place = Place.LineStart;

    /// <summary>Where in a line the last octet was.</summary>
    enum Place
    {
        /// <summary>At the very beginning, or behind a CRLF.</summary>
        LineStart,
        InLine,

        /// <summary>Behind a CR that is not written yet.</summary>
        AfterCr,

        /// <summary>Behind a dot at the start of a line, which is dropped whatever follows.</summary>
        AfterDot,

        /// <summary>Behind such a dot and a CR.</summary>
        AfterDotCr,
    }

    /// <summary>The first fault; it stays.</summary>
    public SmtpContentFault Fault { get; private set; }

    /// <summary>Takes the next piece.</summary>
    /// <param name="consumed">All of it, or up to and with the LF that ends the content.</param>
    /// <returns>True when the content has ended.</returns>
    public bool Decode(ReadOnlySpan<byte> input, IBufferWriter<byte> output, out int consumed)
    {
        var at = 0;
        while (at < input.Length)
        {
            switch (_place)
            {
                case Place.LineStart when dots && input[at] == '.':
                    _place = Place.AfterDot;
                    at++;
                    break;
                case Place.AfterDot when input[at] == '\r':
                    _place = Place.AfterDotCr;
                    at++;
                    break;
                case Place.AfterDotCr when input[at] == '\n':
                    consumed = at + 1;
                    return true;
                case Place.AfterDotCr:
                    Found(SmtpContentFault.BareLineEnd);
                    _place = Place.InLine;
                    break;
                case Place.AfterCr when input[at] == '\n':
                    output.Write("\r\n"u8);
                    _place = Place.LineStart;
                    at++;
                    break;
                case Place.AfterCr:
                    Found(SmtpContentFault.BareLineEnd);
                    _place = Place.InLine;
                    break;
                default:
                    at += TakeText(input[at..], output);
                    break;
            }
        }
        consumed = input.Length;
        return false;
    }

    /// <summary>The last chunk has come.</summary>
    public void End()
    {
        if (_place == Place.AfterCr)
            Found(SmtpContentFault.BareLineEnd);
    }

    /// <summary>Copies whole lines at a time, up to what needs a decision.</summary>
    int TakeText(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var at = 0;
        var written = 0;
        while (true)
        {
            var next = input[at..].IndexOfAny(Special);
            _place = Place.InLine;
            if (next < 0)
            {
                at = input.Length;
                break;
            }
            at += next;
            if (input[at] == '\r' && at + 1 < input.Length && input[at + 1] == '\n')
            {
                at += 2;
                _place = Place.LineStart;
                if (at == input.Length || (dots && input[at] == '.'))
                    break;
                continue;
            }
            if (input[at] == '\r')
            {
                output.Write(input[written..at]);
                _place = Place.AfterCr;
                return at + 1;
            }
            Found(input[at] == '\n' ? SmtpContentFault.BareLineEnd : SmtpContentFault.Nul);
            at++;
            if (at == input.Length)
                break;
        }
        output.Write(input[written..at]);
        return at;
    }

    void Found(SmtpContentFault fault)
    {
        if (Fault == SmtpContentFault.None)
            Fault = fault;
    }
}
