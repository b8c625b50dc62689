using FsCheck;
using FsCheck.Fluent;

namespace Postrider.Engine.Tests.Submission;

/// <summary>Texts that are nearly right, and texts that want to be something else.</summary>
static class Texts
{
    static readonly string[] Nasty =
    [
        "\r\n", "\n", "\r", "\0", "\u2028", "\u0085", "\t", " ", "\"", "<", ">", ",", ";", ":", "@", "(", ")", "\\", "=?utf-8?q?=0d=0a?=",
        "é", "漢", "\ud83d\ude00",
        "\ud800", "\udc00", "\r\nBcc: v@evil.com", "\r\n\r\nbody", ".", "..", "-", "a", "Z", "0", "9", "xn--", "[127.0.0.1]", "\u202e",
        "\ufeff", "\u001b[31m",
    ];

    /// <summary>Bits of dangerous text in a row.</summary>
    public static readonly Gen<string> Wild =
        from length in Gen.Choose(0, 8)
        from bits in Gen.ArrayOf(Gen.Elements(Nasty), length)
        select string.Concat(bits);

    /// <summary>A good text with bits put in, cut out or both; or a wild one.</summary>
    public static Gen<string> Near(string good) =>
        from at in Gen.Choose(0, good.Length)
        from cut in Gen.Choose(0, 3)
        from bit in Gen.OneOf(Gen.Constant(""), Gen.Elements(Nasty))
        from wild in Gen.Choose(0, 4)
        from other in Wild
        select wild == 0 ? other : good[..at] + bit + good[Math.Min(at + cut, good.Length)..];

    /// <summary>The good text nine times of ten, so that requests of many fields get through as a whole now and then.</summary>
    public static Gen<string> Mostly(string good) =>
        from dice in Gen.Choose(0, 9)
        from other in Near(good)
        select dice == 0 ? other : good;
}
