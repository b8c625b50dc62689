using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

public sealed class DueBookTests
{
    static readonly DateTimeOffset Now = Leases.Now;
    static readonly DateTimeOffset Later = Now.AddMinutes(10);

    readonly DueBook _book = new();

    public DueBookTests() => _book.Merge([], Now);

    static QueueKey Key(int tenant = 1, MailStream stream = MailStream.Transactional, string route = "default") =>
        new(route, stream, new TenantId(tenant));

    DueKeyState Take(QueueKey key) => Assert.Single(_book.Ready(), group => group.Route == key.Route
        && group.Stream == key.Stream) is { } group
        ? _book.Take(group)!
        : throw new InvalidOperationException();

    /// <summary>A lease from beginning to end.</summary>
    bool Lease(QueueKey key, int asked, int leased)
    {
        var state = Take(key);
        return _book.EndLease(state, _book.BeginLease(state), asked, leased);
    }

    [Fact]
    public void Nothing_is_clear_before_the_store_was_asked()
    {
        var fresh = new DueBook();
        Assert.False(fresh.IsClear(Key(), Now));
        fresh.Merge([], Now);
        Assert.True(fresh.IsClear(Key(), Now));
    }

    [Fact]
    public void A_key_with_due_work_is_not_clear_until_a_lease_found_nothing_more()
    {
        _book.Add(Key(), Now, Now);
        Assert.False(_book.IsClear(Key(), Now));
        Lease(Key(), asked: 1, leased: 1); // full: there may be more
        Assert.False(_book.IsClear(Key(), Now));
        Lease(Key(), asked: 4, leased: 3);
        Assert.True(_book.IsClear(Key(), Now));
        Assert.Empty(_book.Ready());
    }

    [Fact]
    public void A_key_that_was_put_back_before_its_lease_does_not_come_up_again_when_the_lease_found_nothing_more()
    {
        _book.Add(Key(), Now, Now);
        var state = Take(Key());
        _book.PutBack(state, first: false); // one permit is in hand; there was no second
        _book.EndLease(state, _book.BeginLease(state), asked: 2, leased: 1);
        Assert.Empty(_book.Ready());
    }

    [Fact]
    public void A_signal_during_a_lease_keeps_the_key_due()
    {
        _book.Add(Key(), Now, Now);
        var state = Take(Key());
        var version = _book.BeginLease(state);
        _book.Add(Key(), Now, Now); // committed after the lease statement ran, for all we know
        _book.EndLease(state, version, asked: 4, leased: 1);
        Assert.False(_book.IsClear(Key(), Now));
        Assert.Same(state, Take(Key()));
    }

    [Fact]
    public void A_key_is_leased_by_one_statement_at_a_time()
    {
        _book.Add(Key(), Now, Now);
        var state = Take(Key());
        _book.BeginLease(state);
        _book.Add(Key(), Now, Now);
        Assert.All(_book.Ready(), group => Assert.Null(_book.Take(group)));
    }

    [Fact]
    public void Work_that_is_due_later_does_not_stand_in_the_way_until_then()
    {
        _book.Add(Key(), Later, Now);
        Assert.True(_book.IsClear(Key(), Now));
        Assert.Empty(_book.Ready());
        Assert.Equal(Later, _book.NextDueAt);

        Assert.False(_book.IsClear(Key(), Later)); // due, though nobody has looked yet
        _book.Ripen(Later);
        Assert.Null(_book.NextDueAt);
        Assert.Equal(Key(), Take(Key()).Key);
    }

    [Fact]
    public void The_earliest_of_several_times_counts_and_the_others_are_asked_for_when_the_key_is_empty()
    {
        _book.Add(Key(), Later, Now);
        _book.Add(Key(), Now.AddMinutes(1), Now);
        _book.Add(Key(), Now.AddMinutes(5), Now);
        Assert.Equal(Now.AddMinutes(1), _book.NextDueAt);
        _book.Ripen(Now.AddMinutes(1));
        Assert.True(Lease(Key(), asked: 4, leased: 1));
    }

    [Fact]
    public void The_store_is_not_asked_again_for_a_key_that_it_said_is_due_but_leased_nothing_of()
    {
        _book.Merge([new DueKey(Key(), Now)], Now);
        Assert.False(Lease(Key(), asked: 4, leased: 0));
    }

    [Fact]
    public void Permits_asked_for_follow_what_is_known_and_double_while_there_is_more()
    {
        var state = _book.Get(Key());
        Assert.Equal(4, state.Want);
        for (var i = 0; i < 30; i++)
            _book.Add(Key(), Now, Now);
        Assert.Equal(30, state.Want);
        Lease(Key(), asked: 30, leased: 30);
        Assert.Equal(60, state.Want);
        Lease(Key(), asked: 60, leased: 10);
        Assert.Equal(4, state.Want);
    }

    [Fact]
    public void Tenants_of_one_route_and_stream_take_turns()
    {
        foreach (var tenant in (int[])[1, 2, 3])
            _book.Add(Key(tenant), Now, Now);
        var group = Assert.Single(_book.Ready());
        var turns = new List<int>();
        for (var i = 0; i < 6; i++)
        {
            var state = _book.Take(group)!;
            turns.Add(state.Key.Tenant.Value);
            _book.PutBack(state, first: false);
        }
        Assert.Equal([1, 2, 3, 1, 2, 3], turns);
    }

    [Fact]
    public void A_tenant_that_could_not_have_its_turn_keeps_it()
    {
        foreach (var tenant in (int[])[1, 2])
            _book.Add(Key(tenant), Now, Now);
        var group = Assert.Single(_book.Ready());
        _book.PutBack(_book.Take(group)!, first: true);
        Assert.Equal(1, _book.Take(group)!.Key.Tenant.Value);
    }

    [Fact]
    public void Transactional_comes_before_bulk()
    {
        _book.Add(Key(stream: MailStream.Bulk, route: "a"), Now, Now);
        _book.Add(Key(stream: MailStream.Transactional, route: "b"), Now, Now);
        Assert.Equal([MailStream.Transactional, MailStream.Bulk], _book.Ready().Select(group => group.Stream));
    }

    [Fact]
    public void A_paused_key_is_set_aside_until_pauses_change()
    {
        _book.Add(Key(), Now, Now);
        _book.Park(Take(Key()));
        _book.Add(Key(), Now, Now);
        Assert.Empty(_book.Ready());
        Assert.False(_book.IsClear(Key(), Now));
        _book.Unpark();
        Assert.Equal(Key(), Take(Key()).Key);
    }

    [Fact]
    public void Permits_asked_for_stay_a_number_however_long_there_is_more()
    {
        _book.Merge([new DueKey(Key(), Now)], Now);
        for (var leases = 0; leases < 100; leases++)
        {
            Assert.InRange(_book.Get(Key()).Want, 1, DueKeyState.MostAsked);
            Lease(Key(), asked: 1, leased: 1);
        }
    }

    [Fact]
    public void When_pauses_change_the_dispatcher_is_told_after_the_keys_are_back()
    {
        _book.Add(Key(), Now, Now);
        _book.Park(Take(Key()));
        var ready = -1;
        _book.Changed += () => ready = _book.Ready().Count;
        _book.Unpark();
        Assert.Equal(1, ready);
    }

    [Fact]
    public void Routes_of_one_stream_take_turns_and_transactional_stays_first()
    {
        foreach (var route in (string[])["a", "b"])
        {
            _book.Add(Key(stream: MailStream.Bulk, route: route), Now, Now);
            _book.Add(Key(route: route), Now, Now);
        }
        Assert.Equal([MailStream.Transactional, MailStream.Bulk], _book.Rounds().Select(round => round.Stream));
        Assert.Equal("abab", Serve(_book.Rounds()[0], 4));
        Assert.Equal("a", Serve(_book.Rounds()[0], 1));
        Assert.Equal("b", Serve(_book.Rounds()[0], 1)); // the turns go on in the next round
        Assert.Equal("ab", Serve(_book.Rounds()[1], 2));
    }

    [Fact]
    public void What_one_route_cannot_have_keeps_no_other_in_the_round()
    {
        foreach (var route in (string[])["a", "b"])
            _book.Add(Key(route: route), Now, Now);
        var round = Assert.Single(_book.Rounds());
        var blocked = _book.Next(round)!;
        _book.PutBack(_book.Take(blocked)!, first: true);
        _book.WaitFor(blocked, "relay");
        Assert.Equal("bbb", Serve(round, 3));
    }

    /// <summary>The routes that have a permit each, in their order.</summary>
    string Serve(DueRound round, int permits)
    {
        var routes = "";
        for (var i = 0; i < permits; i++)
        {
            var group = _book.Next(round)!;
            var state = _book.Take(group)!;
            routes += state.Key.Route;
            _book.PutBack(state, first: false);
            _book.Served(round, group);
        }
        return routes;
    }

    [Fact]
    public void Times_that_were_replaced_do_not_pile_up()
    {
        var nextMonth = Now.AddDays(30);
        _book.Add(Key(), nextMonth, Now);
        for (var second = 1; second <= 10_000; second++)
        {
            var now = Now.AddSeconds(second);
            _book.Add(Key(), now, now.AddSeconds(-1));
            _book.Ripen(now);
            Lease(Key(), asked: 4, leased: 1);
            _book.Merge([new DueKey(Key(), nextMonth)], now); // as the poll says
        }
        Assert.InRange(_book.TimesKept, 1, 200);
        Assert.Equal(nextMonth, _book.NextDueAt);
    }
}
