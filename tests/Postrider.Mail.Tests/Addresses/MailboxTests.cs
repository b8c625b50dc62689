using Postrider.Mail.Addresses;
using Xunit;

namespace Postrider.Mail.Tests.Addresses;

public sealed class MailboxTests
{
    [Theory]
    [InlineData("a@x.com", null)]
    [InlineData(" a@x.com ", null)]
    [InlineData("<a@x.com>", null)]
    [InlineData("\t< a@x.com > ", null)]
    [InlineData("\"\" <a@x.com>", null)]
    [InlineData("Ann<a@x.com>", "Ann")]
    [InlineData("Ann Lee <a@x.com>", "Ann Lee")]
    [InlineData("Ann   Lee <a@x.com>", "Ann Lee")]
    [InlineData("John Q. Public <a@x.com>", "John Q. Public")]
    [InlineData("\"Lee, Ann\" <a@x.com>", "Lee, Ann")]
    [InlineData("\"Ann \\\"A\\\" \\\\ Lee\" <a@x.com>", "Ann \"A\" \\ Lee")]
    [InlineData("\"Lee,\" Ann <a@x.com>", "Lee, Ann")]
    [InlineData("Ann \"the, great\" Lee <a@x.com>", "Ann the, great Lee")]
    [InlineData("Ünï 文字 🎉 <a@x.com>", "Ünï 文字 🎉")]
    [InlineData("Pete(A nice \\) chap) <a(his account)@x.com(his host)>", "Pete")]
    [InlineData("a(x) @ (y) x.com (z)", null)]
    [InlineData("a@x.com (Ann (Lee))", null)]
    [InlineData("=?utf-8?Q?J=C3=B6rg?= <a@x.com>", "Jörg")]
    [InlineData("=?UTF-8?b?SsO2cmc?= <a@x.com>", "Jörg")]
    [InlineData("=?iso-8859-1*de?q?J=F6rg_M?= Lee <a@x.com>", "Jörg M Lee")]
    [InlineData("=?utf-8?B?SsM=?= =?utf-8?B?tnJn?= <a@x.com>", "Jörg")]
    [InlineData("=?utf-8?Q?a?= =?us-ascii?Q?b?= c =?utf-8?Q?d?= <a@x.com>", "ab c d")]
    [InlineData("=?utf-8?Q?Lee,_Ann_(CEO)?= <a@x.com>", "Lee, Ann (CEO)")]
    [InlineData("=?x-unknown?Q?a?= <a@x.com>", "=?x-unknown?Q?a?=")]
    [InlineData("=?utf-8?B?***?= <a@x.com>", "=?utf-8?B?***?=")]
    [InlineData("\"=?utf-8?Q?a?=\" <a@x.com>", "=?utf-8?Q?a?=")]
    public void Names_come_in_many_dresses(string text, string? name)
    {
        Assert.True(Mailbox.TryParse(text, out var mailbox, out var fault), fault.Describe());
        Assert.Equal((name, "a@x.com"), (mailbox.Name, mailbox.Address.ToString()));
    }

    [Theory]
    [InlineData("", AddressFault.Empty)]
    [InlineData("  ", AddressFault.Empty)]
    [InlineData("<>", AddressFault.Empty)]
    [InlineData(",", AddressFault.Empty)]
    [InlineData("Ann", AddressFault.MissingAt)]
    [InlineData("Ann <a>", AddressFault.MissingAt)]
    [InlineData("Ann <a@b>", AddressFault.SingleLabelDomain)]
    [InlineData("Lee, Ann <a@x.com>", AddressFault.MissingAt)]
    [InlineData("a@x.com <a@x.com>", AddressFault.TrailingText)]
    [InlineData("Ann [x] <a@x.com>", AddressFault.NameNeedsQuotes)]
    [InlineData("Ann) <a@x.com>", AddressFault.NameNeedsQuotes)]
    [InlineData("\"Ann <a@x.com>", AddressFault.NameQuotes)]
    [InlineData("Ann <a@x.com", AddressFault.AngleBrackets)]
    [InlineData("Ann a@x.com>", AddressFault.LocalPartCharacter)]
    [InlineData("a@x.com>", AddressFault.AngleBrackets)]
    [InlineData("<a@x.com>>", AddressFault.AngleBrackets)]
    [InlineData("<a@x.com> b", AddressFault.TrailingText)]
    [InlineData("a@x.com, b@x.com", AddressFault.TrailingText)]
    [InlineData("(Ann <a@x.com>", AddressFault.CommentUnclosed)]
    [InlineData("team: a@x.com;", AddressFault.Group)]
    [InlineData("<@relay.com:a@x.com>", AddressFault.LocalPartEmpty)]
    [InlineData("Ann\r\n <a@x.com>", AddressFault.ControlCharacter)]
    [InlineData("\"Ann\r\nBcc: v@evil.com\" <a@x.com>", AddressFault.ControlCharacter)]
    [InlineData("Ann\u2029 <a@x.com>", AddressFault.ControlCharacter)]
    [InlineData("(a\nb) <a@x.com>", AddressFault.ControlCharacter)]
    [InlineData("=?utf-8?Q?Ann=0D=0ABcc:v@evil.com?= <a@x.com>", AddressFault.ControlCharacter)]
    [InlineData("\"\ta\" <a@x.com>", AddressFault.ControlCharacter)]
    public void Bad_mailboxes_are_refused_with_their_reason(string text, AddressFault expected)
    {
        Assert.False(Mailbox.TryParse(text, out _, out var fault));
        Assert.Equal(expected, fault);
    }

    [Theory]
    [InlineData("a@x.com", "a@x.com")]
    [InlineData("a@x.com, Ann <b@x.com>", "a@x.com|Ann <b@x.com>")]
    [InlineData(",, a@x.com ,, b@x.com,", "a@x.com|b@x.com")]
    [InlineData("\"Lee, Ann\" <a@x.com>,b@x.com", "\"Lee, Ann\" <a@x.com>|b@x.com")]
    [InlineData("undisclosed-recipients:;", "")]
    [InlineData("Team: a@x.com, Ann <b@x.com>; , c@x.com", "a@x.com|Ann <b@x.com>|c@x.com")]
    [InlineData("\"A, B\": a@x.com;, none:;", "a@x.com")]
    [InlineData("Team:,a@x.com,;b@x.com", "a@x.com|b@x.com")]
    public void Lists_are_read_with_their_groups(string text, string expected)
    {
        Assert.True(MailboxList.TryParse(text, out var mailboxes, out var fault), fault.Describe());
        Assert.Equal(expected, string.Join('|', mailboxes));
    }

    [Theory]
    [InlineData("", AddressFault.Empty)]
    [InlineData(" , ,", AddressFault.Empty)]
    [InlineData("a@x.com b@x.com", AddressFault.TrailingText)]
    [InlineData("a@x.com; b@x.com", AddressFault.TrailingText)]
    [InlineData("Team: a@x.com", AddressFault.Group)]
    [InlineData("Team: Sub: a@x.com;;", AddressFault.Group)]
    [InlineData(": a@x.com;", AddressFault.NameNeedsQuotes)]
    [InlineData("a@x.com, b@", AddressFault.DomainEmpty)]
    public void Bad_lists_are_refused_whole(string text, AddressFault expected)
    {
        Assert.False(MailboxList.TryParse(text, out var mailboxes, out var fault));
        Assert.Empty(mailboxes);
        Assert.Equal(expected, fault);
    }

    [Theory]
    [InlineData("a\r")]
    [InlineData("a\nBcc: b@evil.com")]
    [InlineData("\0")]
    [InlineData("a\tb")]
    [InlineData("a\u0085b")]
    [InlineData("a\u2028b")]
    [InlineData("a\u001bb")]
    public void A_name_with_controls_cannot_be_made(string name)
    {
        var address = EmailAddress.Parse("a@x.com");
        Assert.Throws<ArgumentException>(() => new Mailbox(name, address));
        Assert.Throws<ArgumentException>(() => new Mailbox("Ann", address) with { Name = name });
        Assert.False(Mailbox.TryCreate(name, address, out _, out var fault));
        Assert.Equal(AddressFault.ControlCharacter, fault);
    }

    [Fact]
    public void A_list_of_ten_thousand_and_deep_comments_take_one_pass()
    {
        var list = string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"Name {i} <u{i}@x.com>"));
        Assert.True(MailboxList.TryParse(list, out var mailboxes, out _));
        Assert.Equal(10_000, mailboxes.Count);
        var deep = new string('(', 500_000) + new string(')', 500_000) + "a@x.com";
        Assert.True(Mailbox.TryParse(deep, out _, out _));
    }
}
