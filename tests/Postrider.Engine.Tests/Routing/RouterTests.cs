using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class RouterTests
{
    readonly ManualClock _clock = new();
    readonly List<string> _faults = [];

    RouteTable Build(RoutingOptions options, params string[] transports) =>
        RouteTable.Build(options, [.. transports.Select(name => _clock.Transport(name: name))], _faults);

    static RouteRequest Request(string? route = null, MailStream stream = MailStream.Transactional, string[]? tags = null,
        string sender = "shop.example", params string[] recipients) =>
        new(route, stream, tags ?? [], sender, recipients);

    [Fact]
    public void Without_configuration_the_default_route_has_all_transports_in_order()
    {
        var table = Build(new RoutingOptions { Retry = "1s" }, "b", "a");
        Assert.Empty(_faults);
        Assert.Equal(["b", "a"], table.Default!.Transports.Select(transport => transport.Name));
        Assert.Equal(TimeSpan.FromSeconds(1), table.Default.Settings.Retry.Delay(0, 0));
        Assert.Same(table.Default, table.Choose(Request()));
    }

    [Fact]
    public void Without_transports_there_is_no_route() => Assert.Null(Build(new RoutingOptions()).Choose(Request()));

    [Fact]
    public void A_route_is_built_as_configured()
    {
        var table = Build(new RoutingOptions
        {
            Routes = { ["news"] = new RouteOptions { Transports = "c, a", Strategy = "round_robin", Retry = "constant:2,5m", Spill = "off",
                OnAmbiguous = "hold" } },
        }, "a", "b", "c");
        Assert.Empty(_faults);
        var route = table.Find("news")!;
        Assert.Equal(["c", "a"], route.Transports.Select(transport => transport.Name));
        Assert.Equal((RouteStrategy.RoundRobin, null, 2, AmbiguityPolicy.Hold),
            (route.Settings.Strategy, route.Settings.SpillAfter, route.Settings.Retry.Count, route.Settings.OnAmbiguous));
    }

    [Fact]
    public void The_first_rule_that_matches_chooses_and_a_message_may_name_its_route()
    {
        var table = Build(new RoutingOptions
        {
            Routes = { ["bulk"] = new(), ["codes"] = new(), ["own"] = new(), ["gmail"] = new() },
            Rules =
            {
                new() { Route = "codes", Tag = "otp" },
                new() { Route = "own", SenderDomain = "Bank.example", Stream = "transactional" },
                new() { Route = "gmail", RecipientDomain = "gmail.com" },
                new() { Route = "bulk", Stream = "bulk" },
            },
        }, "a");
        Assert.Empty(_faults);
        string? Chosen(RouteRequest request) => table.Choose(request)?.Name;
        Assert.Equal("default", Chosen(Request(recipients: "x.example")));
        Assert.Equal("bulk", Chosen(Request(stream: MailStream.Bulk, recipients: "x.example")));
        Assert.Equal("codes", Chosen(Request(stream: MailStream.Bulk, tags: ["x", "otp"], recipients: "gmail.com")));
        Assert.Equal("own", Chosen(Request(sender: "bank.example", recipients: "gmail.com")));
        Assert.Equal("gmail", Chosen(Request(recipients: ["gmail.com", "GMAIL.com"])));
        Assert.Equal("default", Chosen(Request(recipients: ["gmail.com", "x.example"])));
        Assert.Equal("bulk", Chosen(Request("bulk", tags: ["otp"], recipients: "x.example")));
        Assert.Null(Chosen(Request("absent", recipients: "x.example")));
        Assert.Equal("default", table.For("removed since")!.Name);
    }

    [Fact]
    public void All_faults_are_named_with_their_settings()
    {
        Build(new RoutingOptions
        {
            Retry = "soon",
            Routes = { ["News"] = new() { Transports = "a x a", Strategy = "random", Retry = "2", Spill = "maybe",
                OnAmbiguous = "guess" } },
            Rules = { new() { Route = "absent", Stream = "fast" }, new() { Route = "default" } },
        }, "a");
        string[] expected =
        [
            "Retry is delays", "Routes:News: the name", "Routes:News:Transports names 'x', which is not configured; there are: a",
            "Routes:News:Transports names 'a' twice", "Routes:News:Strategy is", "Routes:News:Retry is", "Routes:News:Spill is",
            "Routes:News:OnAmbiguous is",
            "Rules:0:Route names a configured route; not 'absent'", "Rules:0:Stream is", "Rules:1 matches everything",
        ];
        Assert.Equal(expected.Length, _faults.Count);
        Assert.All(expected, words => Assert.Contains(_faults, fault => fault.StartsWith(words, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_route_without_any_transport_is_a_fault()
    {
        Build(new RoutingOptions { Routes = { ["news"] = new() } });
        Assert.Equal("Routes:news: there is no transport; set POSTRIDER_TRANSPORTS", Assert.Single(_faults));
    }

    [Fact]
    public void Capacity_and_changes_of_every_transport_in_force_are_told()
    {
        var (a, b) = (_clock.Transport(name: "a"), _clock.Transport(name: "b"));
        var router = new Router(RouteTable.Build(new RoutingOptions(), [a], _faults));
        var (came, changes) = (0, new List<string>());
        router.CapacityCame += () => came++;
        router.TransportChanged += change => changes.Add(change.Transport);
        a.Attempt(OutcomeKind.Accepted);
        a.Pause();
        Assert.Equal((1, "a"), (came, Assert.Single(changes)));

        router.Replace(RouteTable.Build(new RoutingOptions(), [b], _faults));
        Assert.Equal(2, came);
        a.Resume();
        Assert.Equal(2, came);
        b.Pause();
        b.Resume();
        Assert.Equal((3, "a,b,b"), (came, string.Join(',', changes)));
    }

    [Fact]
    public void A_tenant_has_its_own_first_then_what_it_may_use_and_the_rules_of_whose_default_it_goes_by()
    {
        var shared = Build(new RoutingOptions
        {
            Routes = { ["bulk"] = new RouteOptions { Transports = "b" } },
            Rules = [new RouteRuleOptions { Route = "bulk", Stream = "bulk" }],
        }, "a", "b");
        RouteTable For(string[]? allowed, string[] own, params NamedRoute[] routes) => TenantRoutes.Build(
            shared, [.. own.Select(name => _clock.Transport(name: name))], routes, allowed, null, _faults);
        string? By(RouteTable table, MailStream stream) => table.Choose(Request(stream: stream)) is { } route
            ? $"{route.Name}: {string.Join(' ', route.Transports.Select(transport => transport.Name))}" : null;

        Assert.Equal("bulk: b", By(For(null, []), MailStream.Bulk));
        Assert.Equal("default: a b", By(For(null, []), MailStream.Transactional));
        Assert.Equal("default: a", By(For(["a"], []), MailStream.Bulk)); // the rule leads to what it may not use
        Assert.Null(For(["a"], []).Find("bulk"));
        Assert.Null(For(["a"], []).FindTransport("b"));
        Assert.Null(For([], []).Default);
        Assert.Equal("default: own", By(For(null, ["own"]), MailStream.Bulk));
        var news = new NamedRoute(new TenantId(2), "news", new RouteOptions { Transports = "own b" }, [new RouteRuleOptions { Stream = "bulk" }]);
        Assert.Equal("news: own b", By(For(null, ["own"], news), MailStream.Bulk));
        Assert.Empty(_faults);
        Assert.Null(For(["a"], [], news).Find("news")); // neither is there for it
        Assert.Equal(2, _faults.Count);
    }

    [Fact]
    public void Of_a_retired_transport_nothing_more_begins_and_it_is_drained_with_the_last_permit()
    {
        var a = _clock.Transport(name: "a");
        using (var permit = a.TryTake(MailStream.Transactional)!)
        {
            a.Retire();
            Assert.Null(a.TryTake(MailStream.Transactional));
            Assert.Equal(TimeSpan.Zero, permit.Charge(1));
            permit.Report(new Outcome(OutcomeKind.Accepted, OutcomeScope.Message, new Reply(250, null, "ok")));
            Assert.False(a.IsDrained);
        }
        Assert.True(a.IsDrained);
    }

    [Fact]
    public void A_transport_that_is_changed_goes_on_with_its_pause_its_debts_and_while_it_leads_to_the_same_place_its_circuit()
    {
        var before = _clock.Transport("circuit=3,30s,5s&domains=d.example:1,-,1m", name: "a");
        before.OpenCircuit();
        before.Pause();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Transport Successor(string options, bool leadsElsewhere)
        {
            var next = _clock.Transport(options, name: "a", known: false);
            next.Succeed(before, leadsElsewhere);
            Assert.True(next.GetStatus().Paused);
            next.Resume();
            return next;
        }

        var same = Successor("rate=20/s,1&circuit=3,30s,5s", leadsElsewhere: false).WhyNot(MailStream.Transactional);
        Assert.Equal((WaitCause.CircuitOpen, TimeSpan.FromSeconds(4)), (same.Cause, same.Remaining));
        Assert.Equal(WaitCause.None, Successor("circuit=off", leadsElsewhere: false).WhyNot(MailStream.Transactional).Cause);
        Assert.Equal(WaitCause.None, Successor("circuit=3,30s,5s", leadsElsewhere: true).WhyNot(MailStream.Transactional).Cause);
    }

    [Fact]
    public void What_was_sent_is_owed_at_the_new_rate()
    {
        var before = _clock.Transport("rate=60/h,1", name: "a");
        before.Attempt(OutcomeKind.Accepted);
        var next = _clock.Transport("rate=10/s,1", name: "a");
        next.Succeed(before, leadsElsewhere: false);
        var wait = next.WhyNot(MailStream.Transactional);
        Assert.Equal(WaitCause.RateLimited, wait.Cause);
        Assert.InRange(wait.Remaining!.Value, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(100));
    }

    // With many tenants somebody always changes something.
    [Fact]
    public void A_route_that_stays_as_it_was_is_the_same_when_the_table_is_replaced()
    {
        var (a, b) = (_clock.Transport(name: "a"), _clock.Transport(name: "b"));
        RouteTable With(string retry, string strategy) => RouteTable.Build(new RoutingOptions
        {
            Retry = retry,
            Routes = { ["x"] = new RouteOptions { Strategy = strategy }, ["y"] = new RouteOptions { Retry = "none" } },
        }, [a, b], _faults);
        var before = With("5m,5m", "sticky");
        var after = With("5m,5m", "weighted").Keeping(before);
        Assert.Same(before.Default, after.Default);
        Assert.Same(before.Find("y"), after.Find("y"));
        Assert.NotSame(before.Find("x"), after.Find("x"));
        Assert.NotSame(before.Default, With("6m", "sticky").Keeping(before).Default);
    }

    [Fact]
    public void A_transport_that_stays_keeps_its_state_when_the_table_is_replaced()
    {
        var a = _clock.Transport(name: "a");
        var router = new Router(RouteTable.Build(new RoutingOptions(), [a], _faults));
        a.OpenCircuit();
        router.Replace(RouteTable.Build(new RoutingOptions { Retry = "none" }, [a, _clock.Transport(name: "b")], _faults));
        Assert.Equal("b", router.Table.Default!.TakeFor(default, MailStream.Transactional)!.Transport.Name);
        var came = 0;
        router.CapacityCame += () => came++;
        a.Reset();
        Assert.Equal(1, came); // subscribed once
    }

    [Theory]
    [InlineData(null, null, null, true)]
    [InlineData(1, null, null, true)]
    [InlineData(2, null, null, false)]
    [InlineData(null, MailStream.Bulk, null, true)]
    [InlineData(null, MailStream.Transactional, null, false)]
    [InlineData(1, MailStream.Bulk, "news", true)]
    [InlineData(1, MailStream.Bulk, "other", false)]
    public void A_pause_covers_what_it_names(int? tenant, MailStream? stream, string? route, bool covered)
    {
        var router = new Router(RouteTable.Empty);
        var came = 0;
        router.CapacityCame += () => came++;
        var scope = new PauseScope(tenant is { } value ? new TenantId(value) : null, stream, route);
        Assert.True(router.Pauses.Add(new Pause(scope, _clock.GetUtcNow(), null)));
        Assert.False(router.Pauses.Add(new Pause(scope, _clock.GetUtcNow(), "again")));
        Assert.Equal(covered, router.Pauses.Covers(TenantId.First, MailStream.Bulk, "news"));
        Assert.True(router.Pauses.Remove(scope));
        Assert.False(router.Pauses.Remove(scope));
        Assert.False(router.Pauses.Covers(TenantId.First, MailStream.Bulk, "news"));
        Assert.Equal(2, came);
    }
}
