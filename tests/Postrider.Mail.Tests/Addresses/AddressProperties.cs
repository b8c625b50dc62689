using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Addresses;
using Postrider.Mail.Tests.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Addresses;

/// <summary>What holds for every text that is read as an address.</summary>
public sealed class AddressProperties
{
    static readonly AddressRules Lenient = new() { AllowIpLiteral = true, AllowSingleLabelDomain = true };

    /// <summary>Well-formed and broken lists in one: names, comments, groups, quotes, routes.</summary>
    static readonly string[] Samples =
    [
        "First.Last+tag@example.com", "\"a \\\"b\\\" c\"@bücher.example", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "почта@почта.рф",
        "Ann Q. Lee <ann@example.com>", "\"Lee, Ann\" <ann@example.com>", "=?utf-8?Q?J=C3=B6rg?= =?utf-8?B?SsO2cmc=?= <j@example.com>",
        "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
        "A Group:Chris Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
        "Undisclosed recipients:;", "a@x.com, , \"b\" <b@x.com>, (c) c@x.com",
    ];

    static void Holds(Func<string, bool> property) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(5_000), Prop.ForAll(Nasty.Strings, property));

    static void Holds(Action<Dice> property) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2_000),
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => property(new Dice((ulong)seed))));

    /// <summary>Refused or accepted, with a reason or an address, never both; and what was accepted is safe to write.</summary>
    static bool Answers(string text)
    {
        var address = EmailAddress.TryParse(text, Lenient, out var bare, out var fault);
        var mailbox = Mailbox.TryParse(text, Lenient, out var named, out var mailboxFault);
        var list = MailboxList.TryParse(text, Lenient, out var mailboxes, out var listFault);
        return address == (bare is not null) && address == (fault == AddressFault.None) && (bare is null || IsSafe(bare))
            && mailbox == (named is not null) && mailbox == (mailboxFault == AddressFault.None) && (named is null || IsSafe(named))
            && list == (listFault == AddressFault.None) && (list || mailboxes.Count == 0) && mailboxes.All(IsSafe)
            && (!mailbox || (mailboxes.Count == 1 && mailboxes[0] == named))
            && (!address || named?.Address == bare);
    }

    static bool IsSafe(Mailbox mailbox) => IsSafe(mailbox.Address) && (mailbox.Name is null || !mailbox.Name.Any(char.IsControl));

    static bool IsSafe(EmailAddress address) => !address.ToString().Any(char.IsControl)
        && System.Text.Ascii.IsValid(address.AsciiDomain) && System.Text.Encoding.UTF8.GetByteCount(address.ToAscii()) is >= 3 and <= 254;

    [Fact]
    public void No_text_throws_and_each_answer_has_one_meaning() => Holds(Answers);

    [Fact]
    public void Each_beginning_and_end_of_a_list_is_answered() => Assert.All(Samples, sample =>
    {
        for (var at = 0; at <= sample.Length; at++)
        {
            Assert.True(Answers(sample[..at]), sample[..at]);
            Assert.True(Answers(sample[at..]), sample[at..]);
        }
    });

    [Fact]
    public void Each_change_of_one_character_is_answered() => Holds(dice =>
    {
        var text = dice.Pick<string>(Samples).ToCharArray();
        text[dice.Next(text.Length)] = dice.Pick<char>("\r\n\0\"\\<>()@,;:[]. ?=\ud83dü");
        Assert.True(Answers(new string(text)));
    });

    [Fact]
    public void What_is_written_is_read_back() => Holds(text =>
    {
        var again = !EmailAddress.TryParse(text, Lenient, out var address, out _)
            || (EmailAddress.TryParse(address.ToString(), Lenient, out var display, out _) && display == address
                && EmailAddress.TryParse(address.ToAscii(), Lenient, out var wire, out _) && wire == address);
        return again && (!Mailbox.TryParse(text, Lenient, out var mailbox, out _)
            || (Mailbox.TryParse(mailbox.ToString(), Lenient, out var read, out _) && read == mailbox));
    });

    [Fact]
    public void Any_name_is_read_back() => Holds(dice =>
    {
        var mailbox = new Mailbox(dice.Line(8), EmailAddress.Parse(dice.Pick("a@x.com", "\"a b\"@x.com", "ü@bücher.example")));
        Assert.True(Mailbox.TryParse(mailbox.ToString(), out var read, out var fault), $"{mailbox}: {fault.Describe()}");
        Assert.Equal(mailbox, read);
    });

    [Fact]
    public void Lists_are_read_back() => Holds(dice =>
    {
        var written = Enumerable.Range(0, 1 + dice.Next(20))
            .Select(n => new Mailbox(dice.OneIn(3) ? null : dice.Line(3), EmailAddress.Parse($"u{n}@x.com")))
            .ToArray();
        Assert.True(MailboxList.TryParse(string.Join(dice.Pick(",", ", ", " ,\t"), written.AsEnumerable()), out var read, out _));
        Assert.Equal(written, read);
    });
}
