using FsCheck;
using FsCheck.Fluent;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Tracking;

/// <summary>What an address says is what we put in, or nothing.</summary>
public sealed class TrackingTokensTests
{
    const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    static readonly MasterKey Key = KeyOf(1);
    static readonly TrackingTokens Tokens = new(Key);
    static readonly TrackingToken Click =
        new(HitKind.Click, new TenantId(7), MessageId.Create(1_700_000_000_000, 5, 3), 0, "https://shop.example/order?id=1&b=ü");

    static MasterKey KeyOf(byte seed) => MasterKey.Parse(Convert.ToBase64String(Enumerable.Repeat(seed, 32).ToArray()), "test");

    [Fact]
    public void What_was_made_is_read_again_and_is_the_same_every_time() => Check.QuickThrowOnFailure(
        Prop.ForAll((int tenant, PositiveInt n, long message) =>
        {
            var token = new TrackingToken(
                HitKind.Click, new TenantId(tenant), new MessageId(message & long.MaxValue), n.Get % 3 == 0 ? null : n.Get % 1_000,
                "https://example.com/" + new string((char)('a' + (n.Get % 26)), n.Get * 7 % 1_900));
            var text = Tokens.Make(token);
            return Tokens.TryRead(text, HitKind.Click, out var read) && read == token && text == new TrackingTokens(Key).Make(token);
        }));

    [Fact]
    public void Every_other_character_at_every_place_makes_it_nothing()
    {
        var text = Tokens.Make(Click);
        for (var at = 0; at < text.Length; at++)
            foreach (var other in Alphabet)
                if (other != text[at])
                    Assert.False(Tokens.TryRead(text[..at] + other + text[(at + 1)..], HitKind.Click, out _), $"{at}: {other}");
    }

    [Fact]
    public void A_part_of_it_or_more_than_it_is_nothing()
    {
        var text = Tokens.Make(Click);
        for (var length = 0; length < text.Length; length++)
            Assert.False(Tokens.TryRead(text[..length], HitKind.Click, out _));
        foreach (var more in (string[])["A", "AAAA", "=", "==", ".", "%00", " ", new string('A', 5_000)])
            Assert.False(Tokens.TryRead(text + more, HitKind.Click, out _));
        Assert.False(Tokens.TryRead(" " + text, HitKind.Click, out _));
    }

    [Fact]
    public void Another_kind_another_key_and_another_purpose_are_nothing()
    {
        var text = Tokens.Make(Click);
        Assert.False(Tokens.TryRead(text, HitKind.Open, out _));
        Assert.False(new TrackingTokens(KeyOf(2)).TryRead(text, HitKind.Click, out _));
        // Signed with a key of the same master key, for something else: only the purpose differs.
        var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(text);
        var other = System.Security.Cryptography.HMACSHA256.HashData(Key.Derive("postrider/unsubscribe/1"), bytes.AsSpan(..^16))[..16];
        other.CopyTo(bytes.AsSpan(^16..));
        Assert.False(Tokens.TryRead(System.Buffers.Text.Base64Url.EncodeToString(bytes), HitKind.Click, out _));
    }

    [Fact]
    public void Random_text_is_nothing() => Check.QuickThrowOnFailure(Prop.ForAll((byte[] bytes) =>
        !Tokens.TryRead(System.Buffers.Text.Base64Url.EncodeToString(bytes), HitKind.Click, out _)));

    [Fact]
    public void The_longest_target_fits()
    {
        var target = "https://example.com/".PadRight(TrackingTokens.MaxTargetBytes, 'x');
        Assert.True(Tokens.TryRead(Tokens.Make(Click with { Target = target }), HitKind.Click, out var read));
        Assert.Equal(target, read.Target);
    }
}
