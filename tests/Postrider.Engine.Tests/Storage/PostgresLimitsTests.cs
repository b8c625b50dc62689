using Dapper;
using Postrider.Routing;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What nodes share, on a real server and its clock.</summary>
public sealed class PostgresLimitsTests : IAsyncLifetime
{
    static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(10);
    static readonly TimeSpan Slower = Gap * 1.01;

    PostgresUnderTest _under = null!;
    PostgresLimits _limits = null!;

    public async ValueTask InitializeAsync()
    {
        _under = await PostgresUnderTest.OpenAsync(new ManualClock());
        _limits = new PostgresLimits(_under.Postgres);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    [Fact]
    public async Task Instants_are_handed_out_once_one_gap_apart_whoever_asks_at_the_same_time()
    {
        await using var other = await _under.OpenStoreAsync("other");
        var others = new PostgresLimits(other);
        var before = await NowAsync();
        var grants = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => Task.Run(async () =>
        {
            var grant = Assert.Single(await (n % 2 == 0 ? _limits : others).TakeAsync([Ask("a", 5)], default));
            Assert.Equal(5, grant.Count);
            return grant;
        })));
        Assert.Equal(40, grants.Length);
        // 200 instants from the first ask on: the next one is 2 s after it.
        var arrival = await ArrivalAsync("a");
        Assert.InRange(arrival - before, 1_999_000, 2_000_000 + (await NowAsync() - before));
    }

    // A hundredth slower than asked, as nodes ask where many go in a second.
    [Fact]
    public async Task Three_nodes_are_granted_the_rate_and_no_more_by_the_servers_clock_though_one_dies()
    {
        await _under.ExecuteAsync(GrantBook.Open);
        await using var second = await _under.OpenStoreAsync("second");
        await using var third = await _under.OpenStoreAsync("third");
        using var over = new CancellationTokenSource();
        using var death = new CancellationTokenSource();
        var asking = new[] { AskAsync(_limits, over.Token), AskAsync(new(second), over.Token), AskAsync(new(third), death.Token) };
        await Task.Delay(TimeSpan.FromSeconds(6), TimeProvider.System);
        await death.CancelAsync();
        await Task.Delay(TimeSpan.FromSeconds(7), TimeProvider.System);
        await over.CancelAsync();
        await Task.WhenAll(asking);

        await using var connection = await _under.Postgres.OpenWriterAsync();
        var instants = await GrantBook.InstantsAsync(connection, "a", Slower);
        Assert.InRange(TimeWindows.Most(instants, TimeSpan.FromSeconds(1)), 97, 105);
        Assert.All(TimeWindows.Counts(instants, TimeSpan.FromSeconds(10)), count => Assert.InRange(count, 970, 1_030));
        Assert.NotEmpty(TimeWindows.Counts(instants, TimeSpan.FromSeconds(10)));

        static async Task AskAsync(PostgresLimits limits, CancellationToken until)
        {
            while (!until.IsCancellationRequested)
            {
                var grant = Assert.Single(await limits.TakeAsync([new RateAsk("a", Slower, TimeSpan.Zero, 5, 0)], default));
                if (grant.Count == 0)
                    await Task.Delay(grant.FirstIn, TimeProvider.System, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task What_is_too_far_ahead_is_not_granted_and_who_asks_is_told_when_to_come_again()
    {
        Assert.InRange((await OneAsync(Ask("a", 1_000))).Count, 199, 201);
        // So far apart that a machine which takes its time between the two questions does not come to the next.
        var far = TimeSpan.FromMinutes(1);
        Assert.Equal(1, (await OneAsync(Ask("b", 1_000) with { Gap = far })).Count);
        var refused = await OneAsync(Ask("b", 1) with { Gap = far });
        Assert.Equal(0, refused.Count);
        Assert.InRange(refused.FirstIn, TimeSpan.FromTicks(1), far);
    }

    [Fact]
    public async Task Bulk_leaves_a_part_of_the_burst_and_what_comes_back_is_had_again()
    {
        var daily = new RateAsk("a", TimeSpan.FromMinutes(7), 9 * TimeSpan.FromMinutes(7), 100, 2);
        Assert.Equal(8, (await OneAsync(daily)).Count);
        Assert.Equal(2, (await OneAsync(daily with { KeepBack = 0 })).Count);
        Assert.Equal(0, (await OneAsync(daily with { KeepBack = 0 })).Count);
        await _limits.GiveBackAsync([daily with { Count = 3 }], default);
        Assert.Equal(3, (await OneAsync(daily with { KeepBack = 0 })).Count);
    }

    // Who takes locks them in the order of their keys: who gives back in another could wait for it, and it for him.
    [Fact]
    public async Task What_is_given_back_is_locked_in_the_order_of_keys()
    {
        foreach (var key in (string[])["b", "a"])
            await _limits.TakeAsync([Ask(key, 1)], default);
        await using var taking = await _under.Postgres.OpenWriterAsync();
        await taking.ExecuteAsync("BEGIN; SELECT 1 FROM rate_budgets WHERE key = 'a' FOR UPDATE");

        var giving = _limits.GiveBackAsync([Ask("b", 1), Ask("a", 1)], default);
        await Eventually.HoldsAsync(async () => await taking.ExecuteScalarAsync<int>("""
            SELECT count(*)::int FROM pg_locks l JOIN pg_stat_activity s USING (pid)
            WHERE NOT l.granted AND s.datname = current_database() AND s.query LIKE '%rate_budgets%'
            """) > 0);

        await taking.ExecuteAsync("SELECT 1 FROM rate_budgets WHERE key = 'b' FOR UPDATE NOWAIT; COMMIT");
        await giving;
    }

    [Fact]
    public async Task Budgets_are_apart_and_a_clock_that_was_set_back_keeps_none_for_long()
    {
        var grants = await _limits.TakeAsync([Ask("a", 3), Ask("b", 4)], default);
        Assert.Equal([("a", 3), ("b", 4)], grants.Select(grant => (grant.Key, grant.Count)));
        await _under.ExecuteAsync("UPDATE rate_budgets SET arrival = arrival + 3600000000");
        Assert.InRange((await OneAsync(Ask("a", 1))).FirstIn, TimeSpan.Zero, TimeSpan.FromSeconds(11));
    }

    static RateAsk Ask(string key, int count) => new(key, Gap, TimeSpan.Zero, count, 0);

    async Task<RateGrant> OneAsync(RateAsk ask) => Assert.Single(await _limits.TakeAsync([ask], default));

    Task<long> NowAsync() => _under.Postgres.ReadAsync(
        connection => connection.ExecuteScalar<long>("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"), default);

    Task<long> ArrivalAsync(string key) => _under.Postgres.ReadAsync(
        connection => connection.ExecuteScalar<long>("SELECT arrival FROM rate_budgets WHERE key = @key", new { key }), default);
}
