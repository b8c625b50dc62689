using System.Net;
using System.Net.Sockets;
using System.Text;
using Postrider.Messages;
using Postrider.Providers.Http;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Http;

public sealed class VendorHttpTests
{
    static readonly VendorRequest Small = new(HttpMethod.Post, "/send", "{}"u8
        .ToArray())
    { Headers = [new("Authorization", "Bearer key")] };

    /// <summary>Larger than the buffers of both sides of a connection together.</summary>
    static readonly VendorRequest Large = Small with { Body = new byte[30_000_000] };

    [Fact]
    public async Task An_answer_is_read_whole_with_its_headers()
    {
        await using var stub = HttpStub.Start(new HttpReply(202, """{"id":"1"}""").With("X-Message-Id", "m1"));
        using var http = new VendorHttp(new Uri(stub.Url, "/under/a/path/"), TimeProvider.System);

        var answer = await http.SendAsync(Small, null, CancellationToken.None);

        Assert.Equal((VendorAnswerKind.Answered, 202, "m1", """{"id":"1"}"""),
            (answer.Kind, answer.Status, answer.Header("x-message-id"), Encoding.UTF8.GetString(answer.Body.Span)));
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/under/a/path/send", "{}", "application/json", "Bearer key"),
            (call.Method, call.Target, call.Text, call.Header("Content-Type"), call.Header("Authorization")));
        Assert.StartsWith("Postrider/", call.Header("User-Agent"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_connection_serves_many_calls()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, "{}"));
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        for (var i = 0; i < 20; i++)
            await http.SendAsync(Small, null, CancellationToken.None);

        Assert.Equal([0], stub.Calls.Select(c => c.Connection).Distinct());
    }

    [Fact]
    public async Task A_cut_after_the_last_byte_is_unknown_and_nothing_is_sent_again()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, "{}"), HttpReply.Cut);
        using var http = new VendorHttp(stub.Url, TimeProvider.System);
        await http.SendAsync(Small, null, CancellationToken.None);

        var reused = await http.SendAsync(Small, null, CancellationToken.None);
        var fresh = await http.SendAsync(Small, null, CancellationToken.None);

        Assert.Equal((VendorAnswerKind.Unknown, VendorAnswerKind.Unknown), (reused.Kind, fresh.Kind));
        Assert.Equal(3, stub.Calls.Count);
        Assert.Equal(OutcomeKind.Unknown, fresh.WithoutShape("Vendor").Kind);
    }

    [Theory]
    [InlineData(10)]  // inside the status line
    [InlineData(60)]  // inside the body
    public async Task An_answer_that_breaks_off_is_unknown(int after)
    {
        await using var stub = HttpStub.Start(new HttpReply(202, new string('x', 1000)) { CutAfter = after });
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        Assert.Equal(VendorAnswerKind.Unknown, (await http.SendAsync(Small, null, CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task An_answer_larger_than_a_megabyte_is_no_answer()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, new string('x', 1_100_000)));
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        Assert.Equal(VendorAnswerKind.Unknown, (await http.SendAsync(Small, null, CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task Nobody_listening_is_surely_unsent()
    {
        var stub = HttpStub.Start(new HttpReply(200));
        await stub.DisposeAsync();
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        var answer = await http.SendAsync(Small, null, CancellationToken.None);

        Assert.Equal(VendorAnswerKind.Unsent, answer.Kind);
        Assert.Equal((OutcomeKind.Unreachable, OutcomeScope.Transport),
            (answer.WithoutShape("Vendor").Kind, answer.WithoutShape("Vendor").Scope));
    }

    [Fact]
    public async Task A_TLS_handshake_that_fails_is_surely_unsent()
    {
        await using var peer = ScriptedPeer.Start(async c => await c.SayAsync("HTTP/1.1 400 Bad Request\r\n\r\n"));
        using var http = new VendorHttp(new Uri($"https://127.0.0.1:{peer.Port}"), TimeProvider.System);

        Assert.Equal(VendorAnswerKind.Unsent, (await http.SendAsync(Small, null, CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task A_reset_while_the_body_is_being_written_is_surely_unsent()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.ReadToAsync("\r\n\r\n");
            c.Reset();
        });
        using var http = new VendorHttp(new Uri($"http://127.0.0.1:{peer.Port}"), TimeProvider.System);

        Assert.Equal(VendorAnswerKind.Unsent, (await http.SendAsync(Large, null, CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task A_vendor_that_reads_nothing_leaves_a_large_call_unsent_and_a_small_one_unknown()
    {
        var clock = new ManualClock();
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        deaf.Listen(10);
        using var http = new VendorHttp(new Uri($"http://127.0.0.1:{((IPEndPoint)deaf.LocalEndPoint!).Port}"), clock);
        var large = http.SendAsync(Large, null, CancellationToken.None).AsTask();
        var small = http.SendAsync(Small, null, CancellationToken.None).AsTask();
        await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, CancellationToken.None);
        Assert.False(large.IsCompleted || small.IsCompleted);

        clock.Advance(VendorHttp.AnswerTimeout);

        Assert.Equal((VendorAnswerKind.Unsent, VendorAnswerKind.Unknown), ((await large).Kind, (await small).Kind));
    }

    [Fact]
    public async Task Giving_up_after_the_last_byte_is_unknown()
    {
        await using var stub = HttpStub.Start(HttpReply.Never);
        using var http = new VendorHttp(stub.Url, TimeProvider.System);
        using var cancel = new CancellationTokenSource();
        var call = http.SendAsync(Small, null, cancel.Token).AsTask();
        while (stub.Calls.Count == 0)
            await Task.Yield();

        await cancel.CancelAsync();

        Assert.Equal(VendorAnswerKind.Unknown, (await call).Kind);
    }

    [Fact]
    public async Task A_commit_point_is_asked_before_the_body_leaves_and_can_withdraw_the_call()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, "{}"));
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        var withdrawn = await http.SendAsync(Small, _ => ValueTask.FromResult(false), CancellationToken.None);
        Assert.Empty(stub.Calls);
        var sent = await http.SendAsync(Small, _ => ValueTask.FromResult(true), CancellationToken.None);

        Assert.Equal((VendorAnswerKind.Withdrawn, VendorAnswerKind.Answered), (withdrawn.Kind, sent.Kind));
        Assert.Equal((OutcomeKind.Unfit, OutcomeScope.Recipient),
            (withdrawn.WithoutShape("Vendor").Kind, withdrawn.WithoutShape("Vendor").Scope));
    }

    [Theory]
    [InlineData(200, OutcomeKind.Unknown, OutcomeScope.Transport)]
    [InlineData(301, OutcomeKind.Refused, OutcomeScope.Transport)]
    [InlineData(307, OutcomeKind.Refused, OutcomeScope.Transport)]
    [InlineData(401, OutcomeKind.Refused, OutcomeScope.Transport)]
    [InlineData(404, OutcomeKind.Refused, OutcomeScope.Transport)]
    [InlineData(408, OutcomeKind.Unreachable, OutcomeScope.Transport)]
    [InlineData(413, OutcomeKind.Unfit, OutcomeScope.Message)]
    [InlineData(429, OutcomeKind.Throttled, OutcomeScope.Transport)]
    [InlineData(500, OutcomeKind.Unknown, OutcomeScope.Transport)]
    [InlineData(503, OutcomeKind.Unknown, OutcomeScope.Transport)]
    public async Task Without_the_vendors_own_shape_HTTP_alone_decides(int status, OutcomeKind kind, OutcomeScope scope)
    {
        await using var stub = HttpStub.Start(new HttpReply(status, "<html>\r\nsome proxy</html>", "text/html").With("Location",
            "http://127.0.0.1:1/"));
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        var outcome = (await http.SendAsync(Small, null, CancellationToken.None)).WithoutShape("Vendor");

        Assert.Equal((kind, scope, status, "POST"), (outcome.Kind, outcome.Scope, outcome.Reply.Code, outcome.Reply.Command));
        Assert.DoesNotContain('\n', outcome.Reply.Text);
        Assert.Single(stub.Calls);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("120", 120)]
    [InlineData(" 7 ", 7)]
    [InlineData("Wed, 01 Jul 2026 12:00:30 GMT", 30)]       // from the vendor's own clock
    [InlineData("Wed, 01 Jul 2026 11:00:00 GMT", 0)]
    [InlineData("999999999999999999999", 365 * 86_400)]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 86_400)]
    [InlineData("-5", null)]
    [InlineData("1.5", null)]
    [InlineData("soon", null)]
    [InlineData("", null)]
    public async Task Retry_After_is_seconds_or_a_date_and_nonsense_is_nothing(string text, int? seconds)
    {
        await using var stub = HttpStub.Start(new HttpReply(429).With("Retry-After", text).With("Date", "Wed, 01 Jul 2026 12:00:00 GMT"));
        using var http = new VendorHttp(stub.Url, new ManualClock());

        var answer = await http.SendAsync(Small, null, CancellationToken.None);

        Assert.Equal(seconds is { } known ? TimeSpan.FromSeconds(known) : null, answer.RetryAfter);
        Assert.Equal(answer.RetryAfter, answer.WithoutShape("Vendor").RetryAfter);
    }

    [Theory]
    [InlineData("X-Id", "a\r\nX-Evil: b")]
    [InlineData("X-Id", "a\nb")]
    [InlineData("Authorization", "Bearer a\r\nX-Evil: b")]
    public async Task A_header_with_a_line_break_never_leaves(string name, string value)
    {
        await using var stub = HttpStub.Start(new HttpReply(200));
        using var http = new VendorHttp(stub.Url, TimeProvider.System);

        await Assert.ThrowsAsync<FormatException>(async () =>
            await http.SendAsync(Small with { Headers = [new(name, value)] }, null, CancellationToken.None));
        Assert.Empty(stub.Calls);
    }
}
