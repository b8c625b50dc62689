using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Who has the next permit when several tenants want it.</summary>
public sealed class RotationTests
{
    static readonly DateTimeOffset Now = new(2026, 3, 1, 9, 0, 0, TimeSpan.Zero);

    readonly Dictionary<int, int> _weights = [];
    readonly DueBook _book;

    public RotationTests() => _book = new DueBook(tenant => _weights.GetValueOrDefault(tenant.Value, 1));

    static QueueKey Key(int tenant) => new("default", MailStream.Bulk, new TenantId(tenant));

    DueGroup Group => _book.Get(Key(1)).Group;

    void Due(params int[] tenants)
    {
        foreach (var tenant in tenants)
            _book.Add(Key(tenant), Now, Now);
    }

    /// <summary>Permits that come one at a time, to whoever's turn it is; how many each tenant had.</summary>
    Dictionary<int, int> Serve(int permits)
    {
        var had = new Dictionary<int, int>();
        for (var i = 0; i < permits; i++)
        {
            var state = _book.Take(Group)!;
            had[state.Key.Tenant.Value] = had.GetValueOrDefault(state.Key.Tenant.Value) + 1;
            _book.PutBack(state, first: false);
        }
        return had;
    }

    [Fact]
    public void Tenants_of_one_weight_have_their_turns_one_after_the_other()
    {
        Due(1, 2, 3);
        var order = new List<int>();
        for (var i = 0; i < 6; i++)
        {
            var state = _book.Take(Group)!;
            order.Add(state.Key.Tenant.Value);
            _book.PutBack(state, first: false);
        }
        Assert.Equal([1, 2, 3, 1, 2, 3], order);
    }

    [Fact]
    public void Permits_are_shared_by_weight()
    {
        (_weights[1], _weights[2], _weights[3]) = (1, 3, 6);
        Due(1, 2, 3);
        var had = Serve(1_000);
        Assert.InRange(had[1], 99, 101);
        Assert.InRange(had[2], 299, 301);
        Assert.InRange(had[3], 599, 601);
    }

    // A lease takes a key out of the rotation while it runs.
    [Fact]
    public void What_a_key_missed_during_a_lease_it_gets_afterwards()
    {
        Due(1, 2);
        var leased = _book.Take(Group)!;
        _book.PutBack(leased, first: false);
        var version = _book.BeginLease(leased);
        Assert.Equal(10, Serve(10)[2]);
        _book.EndLease(leased, version, asked: 1, leased: 1);
        Assert.Equal(9, Serve(9)[1]);
        Assert.Equal(5, Serve(10)[2]);
    }

    [Fact]
    public void What_a_key_missed_during_a_long_lease_is_not_made_up_for_without_end()
    {
        Due(1, 2);
        var leased = _book.Take(Group)!;
        var version = _book.BeginLease(leased);
        Serve(1_000);
        _book.EndLease(leased, version, asked: 1, leased: 1);
        Assert.InRange(Serve(100)[1], 55, 62);
    }

    // Its permits are others: what it waits for must not keep the rest, nor the rest it.
    [Fact]
    public void A_tenant_with_routes_of_its_own_is_in_a_group_of_its_own_from_then_on()
    {
        Due(1, 2, 3);
        _book.Regroup(tenant => tenant.Value == 2);
        var groups = _book.Ready();
        Assert.Equal([null, 2], groups.Select(group => group.Tenant?.Value));
        Assert.Equal(2, _book.Take(groups[1])!.Key.Tenant.Value);
        Assert.Null(_book.Take(groups[1]));
        _book.Regroup(static _ => false);
        Assert.Equal(2, Assert.Single(_book.Ready()).Tenant is null ? 2 : 0);
    }

    // The turns of two rotations have nothing to do with each other: a tenant that had a thousand permits alone would wait for a thousand
    // of the others', or take its turn where another has one already and be forgotten.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_comes_from_a_group_of_its_own_has_its_turns_as_the_others(bool wasTaken)
    {
        Due(1, 2, 3);
        _book.Regroup(tenant => tenant.Value == 2);
        var own = _book.Ready().Single(group => group.Tenant is not null);
        for (var i = 0; i < 1_000; i++)
            _book.PutBack(_book.Take(own)!, first: false);
        var taken = wasTaken ? _book.Take(own) : null;
        _book.Regroup(static _ => false);
        if (taken is not null)
            _book.PutBack(taken, first: true);
        Assert.All(Serve(30), had => Assert.InRange(had.Value, 9, 11));
        Assert.Equal(3, Serve(30).Count);
    }

    [Fact]
    public void A_tenant_that_was_quiet_comes_in_at_once_and_has_no_credit()
    {
        Due(1);
        Serve(500);
        Due(2);
        Assert.Equal(2, _book.Take(Group)!.Key.Tenant.Value);
        _book.PutBack(_book.Get(Key(2)), first: false);
        var had = Serve(100);
        Assert.InRange(had[2], 49, 51);
    }

    [Fact]
    public void Who_could_not_have_its_turn_is_next_still()
    {
        Due(1, 2);
        var first = _book.Take(Group)!;
        _book.PutBack(first, first: true);
        Assert.Same(first, _book.Take(Group));
    }

    [Fact]
    public void A_thousand_tenants_with_much_mail_let_one_with_a_little_through()
    {
        Due([.. Enumerable.Range(1, 1_000)]);
        Serve(5_000);
        Due(2_000);
        var first = Serve(3);
        Assert.Equal(1, first.GetValueOrDefault(2_000));
    }

    /// <summary>Permits that come one at a time, to whoever of all groups is next; how many each tenant had.</summary>
    Dictionary<int, int> ServeAll(int permits)
    {
        var had = new Dictionary<int, int>();
        for (var i = 0; i < permits; i++)
        {
            var round = Assert.Single(_book.Rounds());
            var group = _book.Next(round)!;
            var state = _book.Take(group)!;
            had[state.Key.Tenant.Value] = had.GetValueOrDefault(state.Key.Tenant.Value) + 1;
            _book.PutBack(state, first: false);
            _book.Served(round, group);
        }
        return had;
    }

    static QueueKey Key(int tenant, string route) => new(route, MailStream.Bulk, new TenantId(tenant));

    [Fact]
    public void Tenants_with_routes_of_their_own_that_wait_for_the_same_share_it_by_weight()
    {
        (_weights[1], _weights[2], _weights[3], _weights[4]) = (1, 9, 4, 6);
        _book.Regroup(tenant => tenant.Value > 2);
        Due(1, 2, 3, 4);
        foreach (var group in _book.Ready())
            _book.WaitFor(group, "relay");
        var had = ServeAll(2_000);
        Assert.InRange(had[1], 98, 102);
        Assert.InRange(had[2], 896, 904);
        Assert.InRange(had[3], 397, 403);
        Assert.InRange(had[4], 597, 603);
    }

    [Fact]
    public void A_second_route_to_the_same_place_is_no_second_share()
    {
        Due(1);
        _book.Add(Key(2, "a"), Now, Now);
        _book.Add(Key(2, "b"), Now, Now);
        _book.Add(Key(2, "c"), Now, Now);
        foreach (var group in _book.Ready())
            _book.WaitFor(group, "relay");
        var had = ServeAll(400);
        Assert.InRange(had[1], 197, 203);
    }

    // What a tenant has elsewhere, alone, is nothing that it owes the others.
    [Fact]
    public void Who_comes_to_a_line_has_its_turns_as_the_others_whatever_it_had_before()
    {
        _book.Regroup(tenant => tenant.Value == 2);
        Due(2);
        ServeAll(1_000);
        Due(1);
        foreach (var group in _book.Ready())
            _book.WaitFor(group, "relay");
        Assert.InRange(ServeAll(100)[2], 48, 52);
    }

    [Fact]
    public void Who_waited_for_another_transport_for_long_does_not_have_the_next_one_to_itself()
    {
        _book.Regroup(tenant => tenant.Value == 2);
        Due(1, 2);
        foreach (var group in _book.Ready())
            _book.WaitFor(group, "relay");
        var own = _book.Ready().Single(group => group.Tenant is not null);
        _book.WaitFor(own, "standby");
        for (var i = 0; i < 1_000; i++)
            Serve(1);
        _book.WaitFor(own, "relay");
        Assert.InRange(ServeAll(100)[2], 50, 62);
    }
}
