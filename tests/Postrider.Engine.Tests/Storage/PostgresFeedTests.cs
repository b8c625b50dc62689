using Dapper;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What only several writers can do to a feed, and what happens when a day of the log goes.</summary>
public sealed class PostgresFeedTests : IAsyncLifetime
{
    readonly ManualClock _clock = new();
    StoredMails _mails = null!;
    PostgresUnderTest _under = null!;

    PostgresStore Feed => _under.Postgres;

    public async ValueTask InitializeAsync()
    {
        _mails = new StoredMails(_clock);
        _under = await PostgresUnderTest.OpenAsync(_clock);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    // The row with the lower number is committed last. Whoever had been told of the later one first would never see it.
    [Fact]
    public async Task Nothing_is_left_out_when_the_earlier_row_is_committed_later()
    {
        var early = MessageId.Create(_clock.GetUtcNow().ToUnixTimeMilliseconds(), 0, 9).Value;
        await using var slow = await _under.Postgres.OpenWriterAsync();
        await using var transaction = await slow.BeginTransactionAsync();
        await slow.ExecuteAsync("""
            INSERT INTO events (id, message, at, tenant, type, details)
            SELECT @early, 0, 0, 1, type, details FROM (VALUES (24::smallint, decode('0101', 'hex') || decode('0002', 'hex') || '{}')) AS v (type, details)
            """, new { early });
        _clock.Advance(TimeSpan.FromSeconds(1));
        await _under.Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);

        var before = await ReadAsync(EventCursor.Start);
        Assert.Empty(before.Events);
        await transaction.CommitAsync();
        await _under.SettleAsync();
        var after = await ReadAsync(before.Next);

        Assert.Equal(["webhook.disabled", "email.accepted"], after.Events.Select(e => e.Type));
        Assert.Empty((await ReadAsync(after.Next)).Events);
    }

    // In the second row the other node is years ahead of the server's own clock as well.
    [Theory]
    [InlineData(30L)]
    [InlineData(3_650L * 86_400)]
    public async Task Two_nodes_with_clocks_apart_leave_nothing_out(long seconds)
    {
        var ahead = new ManualClock();
        ahead.Advance(TimeSpan.FromSeconds(seconds));
        await using var other = await _under.OpenOtherAsync(ahead);
        var seen = new List<string>();
        var place = EventCursor.Start;
        var mails = new StoredMails(ahead);
        for (var i = 0; i < 20; i++)
        {
            await (i % 2 == 0 ? other : _under.Postgres).AcceptAsync(
                StoredMails.Accept((i % 2 == 0 ? mails : _mails).Make($"r{i}@example.org")), default);
            await _under.SettleAsync();
            var page = await ReadAsync(place);
            seen.AddRange(page.Events.Select(e => e.Data.To![0]));
            place = page.Next;
        }
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"r{i}@example.org"), seen);
    }

    [Fact]
    public async Task A_cursor_goes_on_when_the_day_it_is_in_was_dropped()
    {
        await _under.Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        await _under.SettleAsync();
        var place = (await ReadAsync(EventCursor.Start)).Next;
        await _under.Store.AcceptAsync(StoredMails.Accept(_mails.Make("b@example.org")), default);
        await _under.ExecuteAsync("DROP TABLE events_20260101");
        _clock.Advance(TimeSpan.FromDays(1));
        await _under.Store.AcceptAsync(StoredMails.Accept(_mails.Make("c@example.org")), default);
        await _under.SettleAsync();

        Assert.Equal("c@example.org", Assert.Single((await ReadAsync(place)).Events).Data.To![0]);
        Assert.Equal("c@example.org", Assert.Single((await ReadAsync(EventCursor.Start)).Events).Data.To![0]);
    }

    Task<EventPage> ReadAsync(EventCursor after) => Feed.ReadEventsAsync(TenantId.First, after, EventFilter.All, 100, default);
}
