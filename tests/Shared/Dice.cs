using System.Text;

namespace Postrider.Testing;

/// <summary>Chance that can be thrown again: the same seed gives the same texts (SplitMix64).</summary>
public sealed class Dice(ulong seed)
{
    /// <summary>What breaks careless writers: scripts, directions, joiners, combining marks, and text that looks like syntax.</summary>
    static readonly string[] Words =
    [
        "Hello", "a", "Grüße", "naïve", "Ωμέγα", "Привет", "日本語のメール", "한국어", "שלום", "مرحبا", "नमस्ते", "ไทย",
        "e\u0301\u0323", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "𝒽𝓮𝔩𝔩𝕠", "𓂀",
        "\u202Eevil\u202C", "\u200F", "ﷺ", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A", "\uFEFF", "\u00A0", "\u3000", "\uFFFD", "ẞ", "İ",
        "=?utf-8?Q?x?=", "=?utf-8?B?eA==?=", "=?", "?=", "=", "=3D", "=_", "_",
        "From ", ".", "..", "--", "--=_0000000000000001.0", "a,b;c:d", "(x)", "<y@z.com>", "\"q\"", "\\", "\\\"",
        "[1]", "a@b.com", "%41", "'", "''", "utf-8''x", "*0*=", "&amp;", "https://example.com/?a=1&b=2",
        "x-a:", "Bcc: v@evil.com", "To:", "O'Neil", "Dr.", "100%", "~", "`", "{}", "|",
        "supercalifragilisticexpialidocious", new string('w', 90), new string('ü', 80), new string('l', 1200),
    ];

    ulong _state = seed;

    ulong Next64()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>0 to one less than the limit.</summary>
    public int Next(int limit) => (int)(Next64() % (ulong)limit);

    public bool OneIn(int n) => Next(n) == 0;

    public T Pick<T>(params ReadOnlySpan<T> of) => of[Next(of.Length)];

    public byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
            bytes[i] = (byte)Next64();
        return bytes;
    }

    /// <summary>Any assigned or unassigned code point but surrogates, controls and line separators.</summary>
    public Rune AnyRune()
    {
        while (true)
        {
            var value = OneIn(2) ? Next(0x3000) : Next(0x11_0000);
            if (Rune.IsValid(value) && !Rune.IsControl(new Rune(value)) && value is not (0x2028 or 0x2029))
                return new Rune(value);
        }
    }

    /// <summary>Text on one line that a header may hold.</summary>
    public string Line(int maxWords)
    {
        var text = new StringBuilder();
        for (var words = Next(maxWords + 1); words > 0; words--)
        {
            if (OneIn(4))
            {
                for (var n = Next(12); n >= 0; n--)
                    text.Append(AnyRune());
            }
            else
                text.Append(Pick<string>(Words));
            text.Append(OneIn(20) ? "" : OneIn(30) ? new string(' ', Next(90)) : " ");
        }
        return OneIn(3) ? text.ToString() : text.ToString().TrimEnd();
    }

    /// <summary>Text of many lines with every kind of line end, and controls.</summary>
    public string Body(int maxLines)
    {
        if (OneIn(3))
            return PlainBody(maxLines);
        var text = new StringBuilder();
        for (var lines = Next(maxLines + 1); lines > 0; lines--)
        {
            text.Append(OneIn(3) ? Pick("", " ", "\t", ".", "From here", "-- ", "x ", "\u2028\u0085\v\f\0\u001b") : Line(12));
            text.Append(Pick("\r\n", "\n", "\r\n", "\r", "\n\n"));
        }
        return OneIn(2) ? text.ToString() : text.ToString().TrimEnd('\r', '\n');
    }

    string PlainBody(int maxLines)
    {
        var end = Pick("\r\n", "\n", "\r");
        var lines = Enumerable.Range(0, Next(maxLines + 1)).Select(_ => Pick("The quick brown fox.", "", "jumps over", "the lazy dog "));
        return string.Concat(lines.Select(line => line + end));
    }
}
