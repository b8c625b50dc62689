using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Smtp;

/// <summary>Return paths: what we made is read back, and nobody else's is taken for it.</summary>
public sealed class ReturnPathsTests
{
    static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    readonly ManualClock _clock = new();
    readonly ReturnPaths _paths;

    public ReturnPathsTests() => _paths = new ReturnPaths(Key, "bounce.example.com", _clock);

    [Fact]
    public void What_was_made_is_read_back_in_any_case() => Check.QuickThrowOnFailure(Prop.ForAll(
        Ids, Gen.Choose(-1, 1_500).ToArbitrary(), (id, number) =>
        {
            int? n = number < 0 ? null : number;
            var made = _paths.Make(id, n);
            Assert.True(made.LocalPart.Length <= 64);
            Assert.Equal(made.ToString().ToLowerInvariant(), made.ToString());
            var genuine = new ReturnPathReading(ReturnPathState.Genuine, id, n);
            Assert.Equal(genuine, _paths.Read(made));
            Assert.Equal(genuine, _paths.Read(EmailAddress.Parse(made.ToString().ToUpperInvariant())));
        }));

    [Fact]
    public void One_changed_letter_is_forged()
    {
        var made = _paths.Make(MessageId.Create(1_700_000_000_000, 7, 0), 0).ToString();
        for (var i = 2; i < made.IndexOf('@', StringComparison.Ordinal); i++)
            foreach (var other in "abcdefghijklmnopqrstuvwxyz234567".Where(c => c != made[i]))
                Assert.Equal(ReturnPathState.Forged, _paths.Read(EmailAddress.Parse(made[..i] + other + made[(i + 1)..])).State);
    }

    [Fact]
    public void Another_installation_s_is_forged() => Assert.Equal(ReturnPathState.Forged,
        new ReturnPaths([.. Key.Reverse()], "bounce.example.com", _clock).Read(_paths.Make(MessageId.Create(1, 0, 0), 0)).State);

    [Fact]
    public void It_holds_for_a_month()
    {
        var made = _paths.Make(MessageId.Create(1, 0, 0), 0);
        _clock.Advance(TimeSpan.FromDays(30));
        Assert.Equal(ReturnPathState.Genuine, _paths.Read(made).State);
        _clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(ReturnPathState.TooLate, _paths.Read(made).State);
    }

    [Theory]
    [InlineData("postmaster@bounce.example.com", false)]
    [InlineData("b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bounce.example.com", true)]
    [InlineData("b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com", false)]
    [InlineData("b-aaaa@bounce.example.com", false)]
    public void Only_what_looks_like_one_is_taken(string address, bool expected) =>
        Assert.Equal(expected, _paths.IsOurs(EmailAddress.Parse(address)));

    static Arbitrary<MessageId> Ids => Gen.Choose(0, int.MaxValue)
        .Select(i => MessageId.Create(1_600_000_000_000L + i * 331L, i % 4096, (byte)i)).ToArbitrary();
}
