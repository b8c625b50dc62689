using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>Writes text as encoded words (RFC 2047), cut between characters, each at most 75 octets on a line of at most 76.</summary>
static class EncodedWords
{
    const int MaxLine = HeaderWriter.MaxLine;

    /// <summary><c>=?utf-8?B?</c> and <c>?=</c>.</summary>
    const int Frame = 12;

    /// <summary>One character of four octets in Q: <c>=F0=9F=8E=89</c>.</summary>
    const int LongestCharacter = 12;

    /// <summary>From this column on the next encoded word needs a line of its own.</summary>
    public const int LastStart = MaxLine - Frame - LongestCharacter;

    /// <summary>Written as they are in Q; the space becomes an underscore. §4.2.</summary>
    static readonly SearchValues<char> TextLiterals = SearchValues.Create(
        "!\"#$%&'()*+,-./0123456789:;<>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^`abcdefghijklmnopqrstuvwxyz{|}~ ");

    /// <summary>The few that are safe as a word of a display name, §5 (3).</summary>
    static readonly SearchValues<char> PhraseLiterals = SearchValues.Create(
        "!*+-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ");

    /// <summary>
    /// Writes the text from the current column on, which must not be beyond <see cref="LastStart"/>; further words are folded.
    /// </summary>
    public static void Write(ref OutputBuffer output, ReadOnlySpan<char> text, bool inPhrase)
    {
        var literals = inPhrase ? PhraseLiterals : TextLiterals;
        var base64 = IsMuchShorterInBase64(text, literals);
        while (true)
        {
            var room = MaxLine - output.Column - Frame;
            var count = base64 ? TakeB(text, room) : TakeQ(text, room, literals);
            if (base64)
                WriteB(ref output, text[..count]);
            else
                WriteQ(ref output, text[..count], literals);
            text = text[count..];
            if (text.IsEmpty)
                return;
            output.Fold();
        }
    }

    /// <summary>Q can be read without tools, so base64 must save a fifth.</summary>
    static bool IsMuchShorterInBase64(ReadOnlySpan<char> text, SearchValues<char> literals)
    {
        var octets = Encoding.UTF8.GetByteCount(text);
        var literal = 0;
        foreach (var c in text)
        {
            if (literals.Contains(c))
                literal++;
        }
        var base64 = (octets + 2) / 3 * 4;
        var quoted = literal + (3 * (octets - literal));
        return base64 * 5 < quoted * 4;
    }

    /// <summary>How many UTF-16 units fit, whole characters only.</summary>
    static int TakeB(ReadOnlySpan<char> text, int room)
    {
        var (taken, octets) = (0, 0);
        var most = room / 4 * 3;
        while (taken < text.Length)
        {
            Rune.DecodeFromUtf16(text[taken..], out var rune, out var units);
            octets += rune.Utf8SequenceLength;
            if (octets > most)
                break;
            taken += units;
        }
        return taken;
    }

    static int TakeQ(ReadOnlySpan<char> text, int room, SearchValues<char> literals)
    {
        var (taken, columns) = (0, 0);
        while (taken < text.Length)
        {
            var units = 1;
            if (literals.Contains(text[taken]))
                columns++;
            else
            {
                Rune.DecodeFromUtf16(text[taken..], out var rune, out units);
                columns += 3 * rune.Utf8SequenceLength;
            }
            if (columns > room)
                break;
            taken += units;
        }
        return taken;
    }

    static void WriteB(ref OutputBuffer output, ReadOnlySpan<char> text)
    {
        Span<byte> octets = stackalloc byte[MaxLine];
        var length = Encoding.UTF8.GetBytes(text, octets);
        output.Write("=?utf-8?B?"u8);
        Base64.EncodeToUtf8(octets[..length], output.Reserve(MaxLine), out _, out var written);
        output.Advance(written);
        output.Write("?="u8);
    }

    static void WriteQ(ref OutputBuffer output, ReadOnlySpan<char> text, SearchValues<char> literals)
    {
        Span<byte> octets = stackalloc byte[4];
        output.Write("=?utf-8?Q?"u8);
        while (!text.IsEmpty)
        {
            var units = 1;
            if (literals.Contains(text[0]))
                output.Write(text[0] == ' ' ? (byte)'_' : (byte)text[0]);
            else
            {
                Rune.DecodeFromUtf16(text, out var rune, out units);
                foreach (var octet in octets[..rune.EncodeToUtf8(octets)])
                    output.WriteHex((byte)'=', octet);
            }
            text = text[units..];
        }
        output.Write("?="u8);
    }
}
