using System.Net;
using System.Net.Sockets;
using Postrider.Messages;
using Postrider.Providers.Smtp;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>The whole way over real sockets: submitter, SQLite, lanes, SMTP, a server that keeps what it gets.</summary>
public sealed class SmtpDeliveryTests
{
    static Task<DeliveringNode> StartAsync(string transports, Action<RoutingOptions>? routing = null) =>
        DeliveringNode.StartAsync(transports, TimeProvider.System, routing: routing,
            factories: [new SmtpProviderFactory(TimeProvider.System)]);

    static string Dsn(string name, int port, string options = "") => $"{name}=smtp://127.0.0.1:{port}?tls=none{options}";

    /// <summary>A port on which nobody listens.</summary>
    static int DeadPort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    [Fact]
    public async Task A_thousand_mails_arrive_by_the_second_relay_while_the_first_refuses_connections()
    {
        await using var sink = SmtpSink.Start();
        await using var node = await StartAsync($"{Dsn("a", DeadPort())} {Dsn("b", sink.Port)}");
        for (var i = 0; i < 1_000; i += 50)
            await Task.WhenAll(Enumerable.Range(i, 50).Select(n => node.SubmitAsync($"r{n}@example.com")));
        var messages = await sink.WaitForAsync(1_000, TimeSpan.FromSeconds(60));
        Assert.Equal(1_000, messages.SelectMany(m => m.Recipients).Distinct().Count());
        Assert.Equal(1_000, messages.Count);
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 1_000);
        Assert.Equal(CircuitPosition.Open, node.Transport("a").GetStatus().Circuit);
    }

    [Fact]
    public async Task A_server_that_answers_450_550_and_250_in_one_message_makes_three_states()
    {
        await using var sink = SmtpSink.Start();
        await using var node = await StartAsync(Dsn("a", sink.Port), r => r.Retry = "300ms,300ms");
        var id = await node.SubmitAsync(DeliveringNode.Mail with
        {
            To = [new AddressText("defer@example.com")],
            Cc = [new AddressText("bounce@example.com")],
            Bcc = [new AddressText("ann@example.com")],
        });
        await node.UntilAsync(async () => (await node.StatesAsync(id)).SequenceEqual([RecipientState.Failed, RecipientState.Bounced,
            RecipientState.Sent]));
        var view = await node.GetAsync(id);
        Assert.StartsWith("deferred 3 times: 450", view.Recipients[0].StatusReason, StringComparison.Ordinal);
        Assert.Equal([3, 1, 1], view.Recipients.Select(r => r.Tries));
        Assert.Equal(["ann@example.com"], Assert.Single(sink.Messages).Recipients);
        var attempts = view.Events.Where(e => e.Attempt is not null).Select(e => e.Attempt!.Outcomes.Select(o => o.N));
        Assert.Equal([[0, 1, 2], [0], [0]], attempts);
    }

    [Fact]
    public async Task A_server_that_hangs_up_after_the_dot_leaves_the_mail_unknown_and_gets_no_rival()
    {
        await using var sink = SmtpSink.Start();
        await using var other = SmtpSink.Start();
        await using var node = await StartAsync($"{Dsn("a", sink.Port)} {Dsn("b", other.Port)}");
        var id = await node.SubmitAsync("drop-after-dot@example.com");
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Unknown);
        Assert.Single(sink.Messages);
        Assert.Equal(0, other.Count);
    }

    [Fact]
    public async Task A_server_that_closes_at_the_first_command_is_passed_by()
    {
        await using var closing = SmtpSink.Start(new SmtpSinkOptions
        {
            Answer = line => line.StartsWith("MAIL", StringComparison.OrdinalIgnoreCase) ? "421 4.3.2 going away" : null,
        });
        await using var other = SmtpSink.Start();
        await using var node = await StartAsync($"{Dsn("a", closing.Port)} {Dsn("b", other.Port)}");
        var id = await node.SubmitAsync("ann@example.com");
        await other.WaitForAsync(1);
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.Equal("b", (await node.GetAsync(id)).Recipients[0].Transport);
        Assert.Equal(0, closing.Count);
    }
}
