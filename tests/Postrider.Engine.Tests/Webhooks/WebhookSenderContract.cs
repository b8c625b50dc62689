using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Storage;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Postrider.Webhooks;
using Xunit;

namespace Postrider.Engine.Tests.Webhooks;

/// <summary>Webhooks out over real sockets, to receivers that behave as badly as they can.</summary>
public abstract partial class WebhookSenderContract(StoreEngine engine) : IAsyncLifetime
{
    static readonly TenantId Tenant = TenantId.First;
    static readonly TenantId Other = new(2);

    readonly ManualClock _clock = new();
    readonly List<WebhookSender> _senders = [];
    IStoreUnderTest _under = null!;
    Node _node = null!;

    /// <summary>What a process has of the room.</summary>
    sealed record Node(WebhookBook Book, WebhookTables Store, WebhookOptions Options);

    IEventFeed Feed => (IEventFeed)_under.Store;

    public async ValueTask InitializeAsync()
    {
        _under = engine == StoreEngine.Sqlite ? new SqliteUnderTest(_clock) : await PostgresUnderTest.OpenAsync(_clock);
        _node = NewNode();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var sender in _senders)
            await StopAsync(sender);
        await _under.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    Node NewNode()
    {
        var store = new WebhookTables((ITableStore)_under.Store);
        var options = new WebhookOptions();
        // Both tenants' receivers are on this machine: addresses are looked up as if they were elsewhere, and connected to here.
        var targets = new WebhookTargets(WebhookTargets.Parse("127.0.0.1/32:*", out _), Dns.GetHostAddressesAsync);
        var sealer = new Sealer(MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test"), Entropy.System);
        var outbound = new OutboundHttp(targets, options, _clock);
        var book = new WebhookBook(store, Feed, sealer, targets, outbound, options, _clock, Entropy.System);
        return new Node(book, store, options);
    }

    WebhookSender Start(Node? node = null)
    {
        var (book, store, options) = node ?? _node;
        var sender = new WebhookSender(store, Feed, book, options, _clock, Entropy.System, NullLogger<WebhookSender>.Instance);
        _senders.Add(sender);
        sender.StartAsync(default);
        return sender;
    }

    static async Task StopAsync(WebhookSender sender)
    {
        await sender.StopAsync(default);
        sender.Dispose();
    }

    async Task<(Webhook Webhook, byte[] Secret)> AddAsync(Uri url, params string[] events)
    {
        var made = await _node.Book.AddAsync(Tenant, new WebhookRequest { Url = url.ToString(), Events = events }, default);
        Assert.Null(made.Problem);
        return (made.Webhook!, WebhookSignature.ParseSecret(made.Secret!)!);
    }

    /// <summary>Something to tell, of no message.</summary>
    Task HappenAsync(int number, TenantId? tenant = null) =>
        Feed.AppendAsync(tenant ?? Tenant, MailEventType.WebhookDisabled, $$"""{"number":{{number}}}""", default);

    /// <summary>Moves time on in small steps, with real time for the sockets in between.</summary>
    async Task UntilAsync(Func<Task<bool>> condition, TimeSpan? limit = null)
    {
        var (moved, started) = (TimeSpan.Zero, TimeProvider.System.GetTimestamp());
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "it did not come to be in a minute");
            if (moved < (limit ?? TimeSpan.FromSeconds(20)))
            {
                _clock.Advance(TimeSpan.FromMilliseconds(100));
                moved += TimeSpan.FromMilliseconds(100);
            }
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    async Task<WebhookDelivery> OnlyDeliveryAsync(Webhook webhook, Func<WebhookDelivery, bool> until, TimeSpan? limit = null)
    {
        WebhookDelivery? found = null;
        await UntilAsync(async () =>
        {
            found = (await DeliveriesAsync(webhook)).SingleOrDefault();
            return found is not null && until(found);
        }, limit);
        return found!;
    }

    Task<IReadOnlyList<WebhookDelivery>> DeliveriesAsync(Webhook webhook) =>
        _node.Store.DeliveriesAsync(webhook.Tenant, webhook.Id, null, null, 1_000, default);

    async Task<Webhook> FindAsync(Webhook webhook) => (await _node.Store.FindAsync(webhook.Tenant, webhook.Id, default))!;

    [Fact]
    public async Task An_event_arrives_signed_and_is_logged()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200, "thank you"));
        var (webhook, secret) = await AddAsync(new Uri(receiver.Url, "/hooks?a=b"));
        Start();
        await HappenAsync(1);

        var delivery = await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);

        var call = Assert.Single(receiver.Calls);
        Assert.Equal(("POST", "/hooks?a=b", "application/json"), (call.Method, call.Target, call.Header("Content-Type")));
        Assert.Equal(delivery.Event, call.Header("webhook-id"));
        Assert.True(WebhookSignature.Verify(secret, call.Header("webhook-id")!,
            long.Parse(call.Header("webhook-timestamp")!, System.Globalization.CultureInfo.InvariantCulture), call.Body,
            call.Header("webhook-signature")!));
        Assert.Equal(delivery.Payload.ToArray(), call.Body);
        Assert.Contains("\"type\":\"webhook.disabled\"", call.Text);
        Assert.Contains("\"data\":{\"number\":1}", call.Text);
        Assert.Equal((200, "thank you", null), (delivery.Attempts[0].Status, delivery.Attempts[0].Response, delivery.Attempts[0].Error));
    }

    [Fact]
    public async Task One_that_always_fails_is_tried_nine_times_with_the_same_id_and_body_and_can_be_sent_again()
    {
        var works = false;
        await using var receiver = HttpStub.Start(_ => new HttpReply(works ? 204 : 500, "no"));
        var (webhook, _) = await AddAsync(receiver.Url);
        Start();
        await HappenAsync(1);
        var begun = _clock.GetUtcNow();
        for (var tries = 1; tries <= 9; tries++)
        {
            var delivery = await OnlyDeliveryAsync(webhook, d => d.Tries == tries);
            Assert.Equal(tries < 9 ? DeliveryState.Waiting : DeliveryState.Failed, delivery.State);
            Assert.Equal("The answer is 500; 2xx means taken.", delivery.Attempts[^1].Error);
            if (tries < 9)
                _clock.Advance(delivery.DueAt - _clock.GetUtcNow());
        }
        Assert.InRange(_clock.GetUtcNow() - begun, TimeSpan.FromHours(24), TimeSpan.FromHours(28));
        Assert.Equal(9, receiver.Calls.Count);
        Assert.Single(receiver.Calls.Select(c => (c.Header("webhook-id"), c.Text)).Distinct());
        Assert.Equal(9, receiver.Calls.Select(c => c.Header("webhook-timestamp")).Distinct().Count());
        Assert.NotNull((await FindAsync(webhook)).FailingSince);

        works = true;
        Assert.Equal(1, await _node.Store.AgainAsync(
            Tenant, webhook.Id, null, begun, _clock.GetUtcNow(), DeliveryState.Failed, _clock.GetUtcNow(), 100));
        var again = await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);
        Assert.Equal((10, 1), (again.Attempts.Count, again.Tries));
        Assert.Null((await FindAsync(webhook)).FailingSince);
    }

    [Fact]
    public async Task A_410_disables_at_once_and_is_told()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(410));
        var (webhook, _) = await AddAsync(receiver.Url);
        var place = await Feed.LatestAsync(default);
        Start();
        await HappenAsync(1);

        await UntilAsync(async () => !(await FindAsync(webhook)).IsEnabled);

        Assert.Contains("gone for good", (await FindAsync(webhook)).DisabledReason!);
        EventPage? page = null;
        await UntilAsync(async () => (page = await Feed.ReadEventsAsync(Tenant, place, EventFilter.All, 10, default)).Events.Count == 2);
        Assert.Equal(webhook.Id, page!.Events[1].Data.Other!["webhook_id"].GetString());
        Assert.Single(receiver.Calls);

        // Switched on again it goes on where it stopped: what was refused, and what was missed.
        await HappenAsync(2);
        await _node.Book.ChangeAsync(Tenant, webhook.Id, new WebhookRequest { Enabled = true }, default);
        await UntilAsync(() => Task.FromResult(receiver.Calls.Count >= 2), TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task One_that_fails_for_too_long_is_disabled_with_the_reason()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(503));
        _node.Options.DisableAfter = TimeSpan.FromHours(6);
        var (webhook, _) = await AddAsync(receiver.Url);
        Start();
        await HappenAsync(1);
        await UntilAsync(async () => (await FindAsync(webhook)).FailingSince is not null);
        _clock.Advance(TimeSpan.FromHours(5));
        await HappenAsync(2);
        await UntilAsync(async () => (await DeliveriesAsync(webhook)).Count(d => d.Tries > 0) == 2);
        Assert.True((await FindAsync(webhook)).IsEnabled);
        _clock.Advance(TimeSpan.FromHours(1));
        await HappenAsync(3);

        await UntilAsync(async () => !(await FindAsync(webhook)).IsEnabled);

        var disabled = await FindAsync(webhook);
        Assert.StartsWith("Every try has failed since 2026-01-01T00:00", disabled.DisabledReason);
        Assert.InRange(disabled.DisabledAt!.Value - disabled.FailingSince!.Value, TimeSpan.FromHours(6), TimeSpan.FromHours(7));
    }

    [Fact]
    public async Task One_that_never_answers_holds_up_nobody_and_is_cut_after_30_s()
    {
        await using var dead = HttpStub.Start(_ => HttpReply.Never);
        await using var alive = HttpStub.Start(_ => new HttpReply(200));
        var (deadOne, _) = await AddAsync(dead.Url);
        var (aliveOne, _) = await AddAsync(alive.Url);
        Start();
        for (var i = 0; i < 30; i++)
            await HappenAsync(i);

        await UntilAsync(async () => (await DeliveriesAsync(aliveOne)).Count(d => d.State == DeliveryState.Delivered) == 30);

        Assert.All(await DeliveriesAsync(deadOne), d => Assert.Equal(0, d.Tries));
        await UntilAsync(async () => (await DeliveriesAsync(deadOne)).Any(d => d.Tries == 1), TimeSpan.FromSeconds(40));
        var tried = (await DeliveriesAsync(deadOne)).First(d => d.Tries == 1);
        Assert.Equal(("No whole answer within 30 s.", null), (tried.Attempts[0].Error, tried.Attempts[0].Status));
        Assert.InRange(dead.Calls.Count, 1, 9); // its own lane, and one at a time once it failed
    }

    [Fact]
    public async Task Two_nodes_send_each_event_once()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        Start();
        Start(NewNode());
        for (var i = 0; i < 60; i++)
            await HappenAsync(i);

        await UntilAsync(async () => (await DeliveriesAsync(webhook)).Count(d => d.State == DeliveryState.Delivered) == 60);

        Assert.Equal(60, receiver.Calls.Count);
        Assert.Equal(60, receiver.Calls.Select(c => c.Header("webhook-id")).Distinct().Count());
    }

    [Fact]
    public async Task What_a_stopped_node_had_in_hand_is_sent_by_another_under_the_same_id()
    {
        var isFirst = 1;
        await using var receiver = HttpStub.Start(_ => Interlocked.Exchange(ref isFirst, 0) == 1 ? HttpReply.Never : new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        var first = Start();
        await HappenAsync(1);
        await UntilAsync(() => Task.FromResult(receiver.Calls.Count == 1));
        await StopAsync(first);
        _senders.Clear();
        Start(NewNode());

        await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered, TimeSpan.FromSeconds(70));

        Assert.Equal(2, receiver.Calls.Count);
        Assert.Single(receiver.Calls.Select(c => c.Header("webhook-id")).Distinct());
    }

    [Fact]
    public async Task Only_what_was_asked_for_is_sent_and_nothing_from_before()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        await HappenAsync(0);
        await _under.SettleAsync();
        var (all, _) = await AddAsync(new Uri(receiver.Url, "/all"));
        var (mail, _) = await AddAsync(new Uri(receiver.Url, "/mail"), "email.*");
        Start();
        await HappenAsync(1, Other);
        await _under.Store.AcceptAsync(StoredMails.Accept(new StoredMails(_clock).Make("a@example.org")), default);
        await HappenAsync(2);

        await UntilAsync(async () => (await DeliveriesAsync(all)).Count(d => d.State == DeliveryState.Delivered) == 2);

        Assert.Equal("email.accepted", Assert.Single(await DeliveriesAsync(mail)).Type);
        Assert.DoesNotContain(receiver.Calls, c => c.Text.Contains("\"number\":1", StringComparison.Ordinal)
            || c.Text.Contains("\"number\":0", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_event_during_a_stop_is_sent_after_it()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        await HappenAsync(1);
        await _under.ReopenAsync();
        _node = NewNode();
        Start(_node);
        await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);
        Assert.Single(receiver.Calls);
    }

    [Fact]
    public async Task Both_secrets_sign_for_a_day_after_a_rotation()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, old) = await AddAsync(receiver.Url);
        var made = await _node.Book.RotateAsync(Tenant, webhook.Id, null, default);
        var young = WebhookSignature.ParseSecret(made!.Secret!)!;

        Assert.Null((await _node.Book.TestAsync(Tenant, webhook.Id, default))!.Error);
        _clock.Advance(TimeSpan.FromHours(24));
        Assert.Null((await _node.Book.TestAsync(Tenant, webhook.Id, default))!.Error);

        bool Verifies(HttpCall call, byte[] secret) => WebhookSignature.Verify(secret, call.Header("webhook-id")!,
            long.Parse(call.Header("webhook-timestamp")!, System.Globalization.CultureInfo.InvariantCulture), call.Body,
            call.Header("webhook-signature")!);
        Assert.Equal((true, true), (Verifies(receiver.Calls[0], old), Verifies(receiver.Calls[0], young)));
        Assert.Equal((false, true), (Verifies(receiver.Calls[1], old), Verifies(receiver.Calls[1], young)));
    }

    // Row by row: what comes back, and what is made of it. None of it is followed or read on.
    [Theory]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", 302, "redirect")]
    [InlineData("HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 307, "redirect")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\n", 200, "longer than 64 KB", "body")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10485760\r\n\r\n", 200, "longer than 64 KB", "body")]
    [InlineData("HTTP/1.1 200 OK\r\n", null, "The head of the answer is longer", "headers")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 200, "No usable answer")]
    [InlineData("garbage\r\n\r\n", null, "No usable answer")]
    [InlineData("", null, "No usable answer")]
    [InlineData("HTTP/1.1 199 Odd\r\nContent-Length: 0\r\n\r\n", null, "No usable answer")]
    public async Task A_hostile_answer_is_a_failure(string answer, int? status, string error, string? flood = null)
    {
        using var receiver = new RawReceiver(answer, flood);
        var (webhook, _) = await AddAsync(new Uri($"http://127.0.0.1:{receiver.Port}/"));

        var came = (await _node.Book.TestAsync(Tenant, webhook.Id, default))!;

        Assert.Contains(error, came.Error!, StringComparison.Ordinal);
        Assert.Equal(status, came.Status);
        Assert.True((came.Response?.Length ?? 0) <= 4096);
        Assert.True(receiver.Sent < 8 << 20, $"{receiver.Sent} bytes were taken"); // socket buffers included
        Assert.Equal(1, receiver.Connections);
    }

    [Fact]
    public async Task A_target_inside_is_refused_when_it_is_saved_and_when_it_is_connected_to()
    {
        var refused = await _node.Book.AddAsync(Other, new WebhookRequest { Url = "http://127.0.0.1/" }, default);
        Assert.Equal(("url-not-allowed", 422), (refused.Problem!.Slug, refused.Problem.Status));
        Assert.Equal("/url", refused.Problem.Errors[0].Pointer);

        // Saved when it was allowed; or written by who knows whom.
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        var strict = new WebhookTargets([], Dns.GetHostAddressesAsync);
        var options = new WebhookOptions();
        using var http = new OutboundHttp(strict, options, _clock);
        var answer = await http.PostAsync(Tenant, receiver.Url, [], "{}"u8.ToArray(), default);
        Assert.Contains("private or special network", answer.Error);
        Assert.Empty(receiver.Calls);
        Assert.NotNull(webhook);
    }

    [Fact]
    public async Task Nobody_but_the_first_tenant_gets_a_connection_that_it_opened()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var targets = new WebhookTargets(WebhookTargets.Parse("127.0.0.1/32:*", out _), Dns.GetHostAddressesAsync);
        using var http = new OutboundHttp(targets, new WebhookOptions(), _clock);
        Assert.Null((await http.PostAsync(Tenant, receiver.Url, [], "{}"u8.ToArray(), default)).Error);
        Assert.NotNull((await http.PostAsync(Other, receiver.Url, [], "{}"u8.ToArray(), default)).Error);
        Assert.Single(receiver.Calls);
    }

    [Fact]
    public async Task Secrets_and_header_fields_are_sealed_for_their_tenant_and_row()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var made = await _node.Book.AddAsync(Tenant, new WebhookRequest
        {
            Url = receiver.Url.ToString(),
            Headers = new Dictionary<string, string> { ["Authorization"] = "Bearer canary" },
        }, default);
        var stored = await FindAsync(made.Webhook!);
        var secret = WebhookSignature.ParseSecret(made.Secret!)!;
        Assert.Equal(-1, stored.Secret.Span.IndexOf(secret));
        Assert.Equal(-1, stored.Headers!.Value.Span.IndexOf("canary"u8));
        Assert.Null((await _node.Book.TestAsync(Tenant, stored.Id, default))!.Error);
        Assert.Equal("Bearer canary", receiver.Calls[0].Header("Authorization"));

        var moved = stored with { Tenant = Other };
        Assert.Contains("cannot be opened", (await _node.Book.PostAsync(
            stored with { Id = "wh_other" }, "evt_1", "{}"u8.ToArray(), default)).Error);
        Assert.True(await _node.Store.AddAsync(moved with { Url = "https://example.com/" }, 10));
        Assert.Contains("Rotate it", (await _node.Book.TestAsync(Other, moved.Id, default))!.Error);
        Assert.Single(receiver.Calls);
    }

    [Fact]
    public async Task A_secret_that_cannot_be_opened_hides_no_webhook_and_a_new_one_works()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        await ((ITableStore)_under.Store).WriteAsync(c => Dapper.SqlMapper.Execute(
            c, "UPDATE webhooks SET secret = @broken, headers = @broken", new { broken = new byte[60] }));

        var broken = Assert.Single(await _node.Book.ListAsync(Tenant, default));
        Assert.Contains("the secret of this webhook cannot be opened", _node.Book.FaultOf(broken));
        Assert.Null(_node.Book.OwnHeaders(broken));
        await _node.Book.RotateAsync(Tenant, webhook.Id, null, default);
        Assert.Contains("PATCH", (await _node.Book.TestAsync(Tenant, webhook.Id, default))!.Error);
        await _node.Book.ChangeAsync(Tenant, webhook.Id, new WebhookRequest { Headers = new Dictionary<string, string>() }, default);
        Assert.Null((await _node.Book.TestAsync(Tenant, webhook.Id, default))!.Error);
    }

    [Fact]
    public async Task Events_that_one_endpoint_cannot_have_hold_up_no_other()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (broken, _) = await AddAsync(receiver.Url);
        var made = await _node.Book.AddAsync(Other, new WebhookRequest { Url = "https://example.com/" }, default);
        Assert.Null(made.Problem);
        await HappenAsync(1);
        await ((ITableStore)_under.Store).WriteAsync(c => Dapper.SqlMapper.Execute(
            c, "UPDATE events SET details = @broken WHERE tenant = 1", new { broken = new byte[] { 255, 255, 255 } }));
        await HappenAsync(2, Other);
        Start();

        await UntilAsync(async () => (await DeliveriesAsync(made.Webhook!)).Count == 1);

        Assert.Empty(await DeliveriesAsync(broken));
    }

    [Fact]
    public async Task A_place_passes_over_much_that_was_not_asked_for_a_part_at_a_time()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url, "email.complained");
        var from = await Feed.LatestAsync(default);
        await HappenAsync(0);
        await ((ITableStore)_under.Store).WriteAsync(c => Dapper.SqlMapper.Execute(c, """
            INSERT INTO events (id, message, tenant, type, at, node, details)
            WITH RECURSIVE seq(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < 25000)
            SELECT (SELECT max(id) FROM events) + i, 0, 1, @kind, 0, NULL, (SELECT details FROM events LIMIT 1) FROM seq
            """, new { kind = (int)MailEventType.WebhookDisabled }));
        await _under.SettleAsync();

        var (pages, place) = (0, from);
        for (var hasMore = true; hasMore; pages++)
        {
            var page = await Feed.ReadEventsAsync(Tenant, place, webhook.Filter, 200, default);
            Assert.Empty(page.Events);
            Assert.True(page.Next != place || !page.HasMore, "the place does not move on");
            (place, hasMore) = (page.Next, page.HasMore);
        }
        Assert.InRange(pages, 2, 8);
    }

    [Fact]
    public async Task A_change_by_people_does_not_move_the_place_back()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        await HappenAsync(1);
        await _under.SettleAsync();
        var page = await Feed.ReadEventsAsync(Tenant, webhook.Cursor, EventFilter.All, 10, default);
        var seen = await FindAsync(webhook);
        Assert.True(await _node.Store.SpoolAsync(seen, new PlaceRead(page.Next, null), []));

        Assert.True(await _node.Store.ReplaceAsync(seen, seen with { Description = "changed" }));

        Assert.Equal(("changed", page.Next), ((await FindAsync(webhook)).Description, (await FindAsync(webhook)).Cursor));
        Assert.False(await _node.Store.ReplaceAsync(seen, seen with { Description = "again" }));
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class SqliteWebhookTests() : WebhookSenderContract(StoreEngine.Sqlite);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class PostgresWebhookTests() : WebhookSenderContract(StoreEngine.Postgres);

/// <summary>A receiver that writes what it is told, byte for byte, and then floods who listens.</summary>
sealed class RawReceiver : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly byte[] _answer;
    readonly string? _flood;
    long _sent;
    int _connections;

    /// <param name="flood"><c>body</c> or <c>headers</c> without end; null: the connection is closed.</param>
    public RawReceiver(string answer, string? flood)
    {
        (_answer, _flood) = (Encoding.ASCII.GetBytes(answer), flood);
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;
    public long Sent => Interlocked.Read(ref _sent);
    public int Connections => Volatile.Read(ref _connections);

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                Interlocked.Increment(ref _connections);
                _ = ServeAsync(client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        var stream = connection.GetStream();
        try
        {
            var buffer = new byte[16_384];
            var read = 0;
            while (!Encoding.ASCII.GetString(buffer, 0, read).Contains("\r\n\r\n{", StringComparison.Ordinal))
                read += await stream.ReadAsync(buffer.AsMemory(read));
            await stream.WriteAsync(_answer);
            var piece = Encoding.ASCII.GetBytes(_flood == "headers"
                ? string.Concat(Enumerable.Range(0, 100).Select(i => $"X-{i}: {new string('y', 80)}\r\n")) : new string('z', 8_192));
            while (_flood is not null)
            {
                await stream.WriteAsync(piece);
                Interlocked.Add(ref _sent, piece.Length);
            }
        }
        catch (IOException)
        {
            // It hung up, as it should.
        }
    }

    public void Dispose() => _listener.Dispose();
}
