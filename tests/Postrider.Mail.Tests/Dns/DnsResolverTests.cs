using System.Net;
using System.Security.Cryptography;
using Postrider.Mail.Dns;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Dns;

public sealed class DnsResolverTests : IAsyncDisposable
{
    readonly ScriptedDns _server = ScriptedDns.Start();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Text_comes_with_its_strings_put_together()
    {
        var longText = new string('a', 300) + "ü";
        _server.Text("s._domainkey.example.com", longText);
        _server.Text("example.com", "v=spf1 -all", "other", "");

        Assert.Equal([longText[..300] + "\u00c3\u00bc"], (await AskAsync("s._domainkey.example.com")).Records);
        Assert.Equal(["v=spf1 -all", "other", ""], (await AskAsync("EXAMPLE.com.")).Records);
    }

    [Fact]
    public async Task Mail_hosts_come_best_first()
    {
        _server.MailHost("example.com", 20, "b.example.com");
        _server.MailHost("example.com", 10, "a.example.com");
        _server.MailHost("none.example.com", 0, "");
        Assert.Equal(["a.example.com", "b.example.com"], (await AskAsync("example.com", DnsRecordType.Mx)).Records);
        Assert.Equal(["."], (await AskAsync("none.example.com", DnsRecordType.Mx)).Records);
    }

    [Fact]
    public async Task No_such_name_and_no_such_record_are_a_definite_no()
    {
        _server.Text("example.com", "x");
        Assert.Equal(DnsOutcome.Absent, (await AskAsync("absent.example.com")).Outcome);
        Assert.Equal(DnsOutcome.Absent, (await AskAsync("example.com", DnsRecordType.Mx)).Outcome);
    }

    [Fact]
    public async Task An_alias_is_followed_and_a_circle_of_them_is_nothing()
    {
        _server.Alias("s._domainkey.example.com", "s.keys.example.net");
        _server.Text("s.keys.example.net", "v=DKIM1; p=AAAA");
        _server.Alias("a.example.com", "b.example.com");
        _server.Alias("b.example.com", "a.example.com");
        Assert.Equal(["v=DKIM1; p=AAAA"], (await AskAsync("s._domainkey.example.com")).Records);
        Assert.Equal(DnsOutcome.Absent, (await AskAsync("a.example.com")).Outcome);
    }

    [Fact]
    public async Task What_does_not_fit_comes_by_TCP()
    {
        string[] texts = [.. Enumerable.Range(0, 60).Select(n => $"{n}:" + new string('x', 200))];
        _server.Text("example.com", texts);
        Assert.Equal(texts, (await AskAsync("example.com")).Records);
        Assert.Equal(["udp txt example.com", "tcp txt example.com"], _server.Questions);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task A_server_that_knows_no_EDNS_is_asked_without(byte code)
    {
        _server.Text("example.com", "x");
        _server.Change = (query, answer, _) =>
            query[11] == 0 ? answer : [query[0], query[1], 0x81, (byte)(0x80 | code), 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(["x"], (await AskAsync("example.com")).Records);
    }

    public static TheoryData<string> Forgeries => [.. Forged.Keys];

    static readonly Dictionary<string, Func<byte[], byte[], byte[]>> Forged = new()
    {
        ["another id"] = (_, answer) => [(byte)(answer[0] ^ 1), .. answer[1..]],
        ["a question, not an answer"] = (_, answer) => [.. answer[..2], (byte)(answer[2] & 0x7F), .. answer[3..]],
        ["another name"] = (_, answer) => [.. answer[..13], (byte)'f', .. answer[14..]],
        ["another type"] = (query, answer) => [.. answer[..26], 15, .. answer[27..]],
        ["no question"] = (_, answer) => [.. answer[..5], 0, .. answer[6..]],
        ["nothing at all"] = (_, _) => [],
        ["half a header"] = (_, answer) => answer[..7],
    };

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task What_is_no_answer_to_the_question_is_not_listened_to(string how)
    {
        _server.Text("example.com", "forged");
        var clock = new ManualClock();
        _server.Change = (query, answer, _) => Forged[how](query, answer);
        var asking = Resolver(clock).AskAsync("example.com", DnsRecordType.Txt, default);
        await clock.AdvanceUntilAsync(() => asking.IsCompleted, TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(1));
        Assert.Equal(DnsOutcome.Failed, (await asking).Outcome);
        Assert.Contains("did not answer within 2 s", (await asking).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "SERVFAIL")]
    [InlineData(5, "REFUSED")]
    [InlineData(9, "code 9")]
    public async Task A_server_that_fails_proves_nothing(byte code, string said)
    {
        _server.Change = (_, answer, _) => [.. answer[..3], (byte)(0x80 | code), .. answer[4..]];
        var answer = await AskAsync("example.com");
        Assert.Equal(DnsOutcome.Failed, answer.Outcome);
        Assert.Contains(said, answer.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_says_nothing_costs_two_seconds_and_the_next_is_asked()
    {
        await using var silent = ScriptedDns.Start();
        silent.Change = (_, _, _) => null;
        _server.Text("example.com", "x");
        var clock = new ManualClock();
        var resolver = new DnsResolver([silent.Address, _server.Address], clock, bytes => RandomNumberGenerator.Fill(bytes.Span));
        var asking = resolver.AskAsync("example.com", DnsRecordType.Txt, default);
        await clock.AdvanceUntilAsync(() => asking.IsCompleted, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        Assert.Equal(["x"], (await asking).Records);
        Assert.InRange(clock.GetElapsedTime(0), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task All_tries_together_end_and_ids_differ()
    {
        var ids = new HashSet<int>();
        _server.Change = (query, _, _) =>
        {
            ids.Add((query[0] << 8) | query[1]);
            return null;
        };
        var clock = new ManualClock();
        var many = Enumerable.Repeat(_server.Address, 8).ToArray();
        var resolver = new DnsResolver(many, clock, bytes => RandomNumberGenerator.Fill(bytes.Span));
        var asking = resolver.AskAsync("example.com", DnsRecordType.Txt, default);
        await clock.AdvanceUntilAsync(() => asking.IsCompleted, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        Assert.Equal(DnsOutcome.Failed, (await asking).Outcome);
        Assert.InRange(clock.GetElapsedTime(0), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(11));
        Assert.InRange(ids.Count, 4, 6); // by chance two of five might be equal, not more
    }

    [Fact]
    public async Task A_cancelled_question_throws()
    {
        _server.Change = (_, _, _) => null;
        using var stop = new CancellationTokenSource();
        var asking = Resolver(TimeProvider.System).AskAsync("example.com", DnsRecordType.Txt, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task A_closed_port_is_a_failure_in_words()
    {
        await _server.DisposeAsync();
        var answer = await AskAsync("example.com");
        Assert.Equal(DnsOutcome.Failed, answer.Outcome);
        Assert.StartsWith($"{_server.Address}: ", answer.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData("bücher.example")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123.example")]
    public async Task What_is_no_name_is_not_asked(string name)
    {
        Assert.Equal(DnsOutcome.Failed, (await AskAsync(name)).Outcome);
        Assert.Empty(_server.Questions);
    }

    Task<DnsAnswer> AskAsync(string name, DnsRecordType type = DnsRecordType.Txt) =>
        Resolver(TimeProvider.System).AskAsync(name, type, default);

    DnsResolver Resolver(TimeProvider clock) => new([_server.Address], clock, bytes => RandomNumberGenerator.Fill(bytes.Span));
}

public sealed class DnsServersTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1:53")]
    [InlineData("192.0.2.1:5353, 127.0.0.1", "192.0.2.1:5353 127.0.0.1:53")]
    [InlineData("[2001:db8::1]:5353 2001:db8::2 [2001:db8::3]", "[2001:db8::1]:5353 [2001:db8::2]:53 [2001:db8::3]:53")]
    [InlineData("", "")]
    public void Addresses(string list, string expected)
    {
        Assert.Equal(expected, string.Join(' ', DnsServers.Parse(list, out var faults)));
        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("53")]
    [InlineData("192.0.2.1:0")]
    [InlineData("192.0.2.1:65536")]
    [InlineData("192.0.2.1:")]
    [InlineData("192.0.2:53")]
    [InlineData("http://192.0.2.1")]
    public void No_addresses(string list)
    {
        Assert.Empty(DnsServers.Parse(list, out var faults));
        Assert.Single(faults);
    }

    [Theory]
    [InlineData("# a comment\nsearch example.com\nnameserver 192.0.2.1\r\n\tnameserver  2001:db8::1 # x\nnameserver nonsense\n",
        "192.0.2.1:53 [2001:db8::1]:53")]
    [InlineData("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
        "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53")]
    [InlineData("", "127.0.0.1:53")]
    public void Servers_of_the_system(string file, string expected) => Assert.Equal(expected, string.Join(' ', DnsServers.OfSystem(file)));

    [Fact]
    public void Addresses_are_end_points() => Assert.IsType<IPEndPoint>(Assert.Single(DnsServers.Parse("::1", out _)));
}
