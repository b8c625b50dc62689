using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Dns;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Dns;

/// <summary>Answers that nobody decent sends: read within limits, or refused, never believed and never endless.</summary>
public sealed class DnsReplyTests
{
    // Where the first record's owner would be: behind header and question (example.com TXT).
    const int Answers = 12 + 13 + 4;

    static readonly byte[] Query = Ask();

    public static TheoryData<string> Hostile => [.. Bodies.Keys];

    static readonly Dictionary<string, byte[]> Bodies = new()
    {
        ["a pointer to itself"] = [0xC0, Answers, .. Rest(1, 0)],
        ["a pointer forward"] = [0xC0, Answers + 2, 0, .. Rest(1, 0)],
        ["pointers in a circle"] = [1, (byte)'a', 0xC0, Answers, .. Rest(1, 0)],
        ["half a pointer"] = [0xC0],
        ["a pointer behind the end"] = [0xFF, 0xFF, .. Rest(1, 0)],
        ["a reserved form of label"] = [0x80, 1, .. Rest(1, 0)],
        ["a label over the end"] = [63, 1, 2],
        ["a name over 255"] = [.. ScriptedDns.Name(string.Join('.', Enumerable.Repeat(new string('a', 50), 6))), .. Rest(1, 0)],
        ["a dot inside a label"] = [1, (byte)'.', 0, .. Rest(2, 1, 0)],
        ["data over the end"] = [0xC0, 12, .. Rest(200, 1)],
        ["a string over its record"] = [0xC0, 12, .. Rest(2, 200, 0)],
        ["nothing behind the name"] = [0xC0, 12],
        ["no data length"] = [0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 0],
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Hostile_answers_fail(string how)
    {
        var answer = Read([.. Header(1), .. Bodies[how]]);
        Assert.Equal((DnsOutcome.Failed, "the answer cannot be read"), (answer.Outcome, answer.Reason));
    }

    [Fact]
    public void Fewer_records_than_said_and_more_than_anybody_has_fail()
    {
        Assert.Equal(DnsOutcome.Failed, Read([.. Header(2), 0xC0, 12, .. Rest(2, 1, (byte)'x')]).Outcome);
        Assert.Equal(DnsOutcome.Failed, Read(Header(1_001)).Outcome);
    }

    [Fact]
    public void Records_of_another_name_are_not_the_answer() =>
        Assert.Equal(DnsOutcome.Absent, Read([.. Header(1), 3, (byte)'o', (byte)'r', (byte)'g', 0, .. Rest(2, 1, (byte)'x')]).Outcome);

    [Fact]
    public void Every_prefix_and_every_changed_octet_is_survived()
    {
        byte[] whole = [.. Header(2), 0xC0, 12, .. Rest(3, 2, (byte)'h', (byte)'i'), 0xC0, 12, .. Rest(2, 1, (byte)'x')];
        Assert.Equal(["hi", "x"], Read(whole).Records);
        for (var length = 0; length < whole.Length; length++)
            Assert.NotEqual(DnsOutcome.Found, Read(whole[..length]).Outcome);
        for (var at = 0; at < whole.Length; at++)
        {
            for (var value = 0; value < 256; value++)
            {
                var changed = (byte[])whole.Clone();
                changed[at] = (byte)value;
                Read(changed);
            }
        }
    }

    [Fact]
    public void Any_octets_behind_the_question_are_survived() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000),
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<byte>(), (body, count) =>
        {
            Read([.. Header(count), .. body]);
        }));

    static DnsAnswer Read(byte[] reply)
    {
        DnsReply.Read(Query, "example.com", DnsRecordType.Txt, reply, out var answer);
        return answer;
    }

    static byte[] Header(int answers) =>
    [
        Query[0], Query[1], 0x81, 0x80, 0, 1, (byte)(answers >> 8), (byte)answers, 0, 0, 0, 0,
        .. ScriptedDns.Name("example.com"), 0, 16, 0, 1,
    ];

    /// <summary>TXT, IN, a time to live, and data of which only the given octets are there.</summary>
    static byte[] Rest(int length, params byte[] data) => [0, 16, 0, 1, 0, 0, 0, 60, 0, (byte)length, .. data];

    static byte[] Ask()
    {
        var query = new byte[DnsQuery.MaxBytes];
        Assert.True(DnsQuery.TryWrite("example.com", DnsRecordType.Txt, 0x1234, extended: true, query, out var length));
        return query[..length];
    }
}
