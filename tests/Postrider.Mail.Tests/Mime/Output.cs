using System.Buffers;
using System.Text;
using Postrider.Mail.Mime;

namespace Postrider.Mail.Tests.Mime;

/// <summary>What was written, and what must hold of everything that is.</summary>
static class Output
{
    public static byte[] Of(MimeMessage message)
    {
        var output = new ArrayBufferWriter<byte>();
        MessageWriter.Write(message, output);
        return output.WrittenSpan.ToArray();
    }

    public static string TextOf(MimeMessage message) => Encoding.Latin1.GetString(Of(message));

    /// <summary>Header and body, without the empty line between.</summary>
    public static (string Header, string Body) Halves(MimeMessage message)
    {
        var text = TextOf(message);
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return (text[..(end + 2)], text[(end + 4)..]);
    }

    /// <summary>
    /// The names of the header fields, read as a careless parser would: a line that starts with no white space is a field.
    /// </summary>
    public static string[] Names(MimeMessage message) =>
    [
        .. Halves(message).Header.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] is not (' ' or '\t'))
            .Select(line => line[..line.IndexOf(':', StringComparison.Ordinal)]),
    ];
}
