using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Tenants;

/// <summary>Passwords, links, and who is slowed down.</summary>
public sealed class SignInRulesTests
{
    static readonly MasterKey Master = MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test");

    [Fact]
    public void A_password_matches_its_own_hash_alone()
    {
        var stored = PasswordHash.Of("seven quiet postmen walk", Entropy.System);
        Assert.True(PasswordHash.Matches("seven quiet postmen walk", stored));
        Assert.False(PasswordHash.Matches("seven quiet postmen walk ", stored));
        Assert.False(PasswordHash.Matches("", null));
        Assert.NotEqual(stored, PasswordHash.Of("seven quiet postmen walk", Entropy.System));
    }

    [Theory]
    [InlineData("short", false)]
    [InlineData("passwordpassword", false)]
    [InlineData("aaaaaaaaaaaaaaaaaaaa", false)]
    [InlineData("abababababababab", false)]
    [InlineData("ann@example.com 1", false)]
    [InlineData("ann@example.", false)]
    [InlineData("seven quiet postmen", true)]
    public void A_password_is_long_and_none_that_is_guessed_first(string password, bool isGood) =>
        Assert.Equal(isGood, PasswordRules.Fault(password, "ann@example.com") is null);

    [Fact]
    public void A_link_says_what_it_was_made_for_until_it_ends()
    {
        var clock = new ManualClock();
        var links = new UserLinks(Master, clock);
        var text = links.ForFirst();
        Assert.True(links.Read(text)!.Value.IsForFirst);
        for (var i = 0; i < text.Length; i++)
            Assert.Null(links.Read(string.Concat(text.AsSpan(0, i), text[i] == 'A' ? "B" : "A", text.AsSpan(i + 1))));
        Assert.Null(links.Read(""));
        Assert.Null(links.Read("!"));
        Assert.Null(links.Read(text + text));
        clock.Advance(UserLinks.Lasting);
        Assert.Null(links.Read(text));
    }

    [Fact]
    public void Who_guesses_waits_longer_and_longer_and_nobody_else_waits()
    {
        var clock = new ManualClock();
        var throttle = new SignInThrottle(clock);
        var tries = 0;
        var end = clock.GetUtcNow().AddHours(1);
        while (clock.GetUtcNow() < end)
        {
            if (throttle.Wait("ann", "attacker") is { } wait)
            {
                clock.Advance(wait);
                continue;
            }
            throttle.Failed("ann", "attacker");
            tries++;
        }
        Assert.InRange(tries, 10, 40);
        Assert.Null(throttle.Wait("ann", "elsewhere"));
    }

    [Fact]
    public void A_source_that_tries_many_names_waits_too()
    {
        var throttle = new SignInThrottle(new ManualClock());
        for (var i = 0; i < 60; i++)
            throttle.Failed($"name{i}", "attacker");
        Assert.NotNull(throttle.Wait("another", "attacker"));
        Assert.Null(throttle.Wait("another", "elsewhere"));
    }
}
