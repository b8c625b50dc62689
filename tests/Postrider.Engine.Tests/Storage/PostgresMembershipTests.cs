using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What keeps a node one of several: beats that fail and come back, sweeps that take what is nobody's and nothing else.</summary>
public sealed class PostgresMembershipTests : IAsyncLifetime
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly ManualClock _clock = new();
    readonly CancellationTokenSource _stop = new();
    StoredMails _mails = null!;
    PostgresUnderTest _under = null!;

    PostgresStore Store => _under.Postgres;
    Incarnation Own => Store.Member.Incarnation;

    public async ValueTask InitializeAsync()
    {
        _mails = new StoredMails(_clock);
        _under = await PostgresUnderTest.OpenAsync(_clock);
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Dispose();
        await _under.DisposeAsync();
    }

    Membership Member(Func<CancellationToken, Task>? sweep = null, bool isDraining = false) =>
        new(Store, () => 0, () => isDraining, sweep ?? (_ => Task.CompletedTask), _ => { }, _clock, NullLogger<Membership>.Instance);

    [Fact]
    public async Task A_node_whose_watch_has_a_fault_ends_at_once_and_does_not_beat_on_as_if_it_swept()
    {
        var running = Member(_ => throw new InvalidOperationException("a bug")).RunAsync(_stop.Token);

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => running.WaitAsync(Patience, TimeProvider.System));

        Assert.Equal("a bug", fault.Message);
    }

    [Fact]
    public async Task A_node_that_drains_is_told_as_draining_until_it_has_ended()
    {
        Assert.Null(Assert.Single(await Store.ListNodesAsync(default)).DrainingSince);

        Assert.True(await Store.Member.BeatAsync(3, isDraining: true, default));
        var since = _clock.GetUtcNow();
        _clock.Advance(TimeSpan.FromSeconds(3));
        Assert.True(await Store.Member.BeatAsync(1, isDraining: true, default));

        var node = Assert.Single(await Store.ListNodesAsync(default));
        Assert.Equal((true, 1), (node.Alive, node.InFlight));
        Assert.InRange((node.DrainingSince - since)!.Value.Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        // A program that knows nothing of it has the number now.
        await Store.WriteAsync(c => c.Execute("UPDATE nodes SET started = @later", new { later = _clock.GetUtcNow().AddMinutes(1).ToUnixTimeMilliseconds() }));
        Assert.Null(Assert.Single(await Store.ListNodesAsync(default)).DrainingSince);
    }

    [Fact]
    public async Task A_node_that_ended_is_shown_for_a_day_and_then_forgotten()
    {
        var began = _clock.GetUtcNow().ToUnixTimeMilliseconds();
        await Store.WriteAsync(c => c.Execute("""
            INSERT INTO nodes (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
            VALUES (7, 9, 4, false, 'gone', 'h', 'a', 'all', '1', @began, @began, 0)
            """, new { began }));
        _clock.Advance(TimeSpan.FromHours(23));
        Assert.Contains(await Store.ListNodesAsync(default), node => node.Name == "gone");

        _clock.Advance(TimeSpan.FromHours(2));

        // This one beats no more either, and is shown as long as nobody has given it up.
        Assert.Equal(Own.Node, Assert.Single(await Store.ListNodesAsync(default)).Id);
    }

    [Theory]
    [InlineData("55P03")]
    [InlineData("40P01")]
    public async Task A_beat_that_met_a_lock_is_tried_again(string state)
    {
        await RefuseAsync(state);
        var running = Member().RunAsync(_stop.Token);
        await _under.UntilAsync(() => Task.FromResult(Store.IsAway || running.IsCompleted));
        Assert.False(running.IsCompleted);

        await Store.WriteAsync(c => c.Execute("DROP TRIGGER busy ON nodes"));

        await _under.UntilAsync(() => Task.FromResult(!Store.IsAway || running.IsCompleted));
        await _stop.CancelAsync();
        Assert.True(await running);
    }

    [Fact]
    public async Task Joining_anew_that_met_a_lock_is_tried_again()
    {
        var before = Own;
        await RefuseAsync("55P03");
        var joining = Member().RejoinAsync(_stop.Token);
        await _under.UntilAsync(() => Task.FromResult(Store.IsAway || joining.IsCompleted));
        Assert.False(joining.IsCompleted);

        await Store.WriteAsync(c => c.Execute("DROP TRIGGER busy ON nodes"));

        await _under.UntilAsync(() => Task.FromResult(joining.IsCompleted));
        await joining;
        Assert.Equal(before.Number + 1, Own.Number);
    }

    [Fact]
    public async Task Ids_are_of_the_new_number_before_the_node_counts_as_joined()
    {
        var before = Own;
        Incarnation? numbered = null;

        await Store.Member.RejoinAsync(joined =>
        {
            numbered = joined;
            Assert.Equal(before, Own);
            return Task.CompletedTask;
        }, default);

        Assert.Equal(Own, numbered);
    }

    [Fact]
    public async Task A_node_whose_number_is_anothers_by_now_does_not_sweep_the_others_leases()
    {
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        var next = Own with { Number = Own.Number + 1 };
        await Store.WriteAsync(c => c.Execute("UPDATE nodes SET incarnation = @Number WHERE id = @Node", new { next.Number, next.Node }));
        var lease = Assert.Single(await LeaseAsync(next));

        Assert.Equal(0, await SweepAsync());

        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(_mails.Sent(lease)));
    }

    // The sweep's statement sees rows as they are, and the nodes as they were when it began. Here it stands still while it looks at
    // them.
    [Fact]
    public async Task A_row_that_a_node_leased_which_joined_during_the_sweep_is_left_alone()
    {
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        var lost = Assert.Single(await LeaseAsync(Own));
        await using var beside = await Store.OpenWriterAsync();
        await beside.ExecuteAsync("""
            UPDATE nodes SET alive = false;
            ALTER TABLE nodes RENAME TO members;
            CREATE FUNCTION look() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
                BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
            CREATE VIEW nodes AS SELECT * FROM members WHERE look() OFFSET 0;
            SELECT pg_advisory_lock(7);
            """);
        var sweeping = SweepAsync();
        await Eventually.HoldsAsync(async () => await beside.ExecuteScalarAsync<int>(
            "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted") > 0);

        await beside.ExecuteAsync("""
            UPDATE members SET incarnation = incarnation + 1, alive = true WHERE id = @Node;
            UPDATE queue SET incarnation = incarnation + 1, claim = claim + 1;
            SELECT pg_advisory_unlock(7);
            """, new { Own.Node });

        Assert.Equal(0, await sweeping);
        Assert.Equal((2, 2), await Store.ReadAsync(c => c.QuerySingle<(int, int)>("SELECT state::int, claim FROM queue"), default));
        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(_mails.Sent(lost)));
        await beside.ExecuteAsync("DROP VIEW nodes; ALTER TABLE members RENAME TO nodes");
    }

    Task<int> RefuseAsync(string state) => Store.WriteAsync(c => c.Execute($"""
        CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '{state}'; END $$;
        CREATE TRIGGER busy BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION busy();
        """));

    Task<int> SweepAsync() => Store.SweepAsync(Own, _clock.GetUtcNow(), _clock.GetUtcNow(), default);

    Task<IReadOnlyList<Lease>> LeaseAsync(Incarnation owner) =>
        Store.LeaseAsync(StoredMails.Key, 10, owner, _clock.GetUtcNow(), alone: false, default);
}
