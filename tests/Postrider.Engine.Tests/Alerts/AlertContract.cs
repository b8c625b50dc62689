using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Alerts;
using Postrider.Engine.Tests.Routing;
using Postrider.Engine.Tests.Storage;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Alerts;

public sealed class SqliteAlertTests() : AlertContract(StoreEngine.Sqlite);

public sealed class PostgresAlertTests() : AlertContract(StoreEngine.Postgres);

/// <summary>What is wrong is found, raised once it lasts, told, and resolved; in virtual time, on every store.</summary>
public abstract class AlertContract(StoreEngine engine) : IAsyncLifetime
{
    static readonly Incarnation Node = new(1, 1000);
    static readonly TimeSpan Tick = TimeSpan.FromSeconds(15);

    readonly ManualClock _clock = new();
    readonly FeedbackMetrics _feedback = new();
    readonly AlertOptions _options = new();
    readonly List<string> _told = [];
    readonly List<string> _ids = [];
    IStoreUnderTest _under = null!;
    AlertTables _store = null!;
    AlertWatch _watch = null!;
    Router _router = null!;
    Transport _first = null!;
    Transport _second = null!;
    long? _free = 10_000_000_000;
    bool _reaches = true;

    public async ValueTask InitializeAsync()
    {
        _under = engine == StoreEngine.Sqlite ? new SqliteUnderTest(_clock) : await PostgresUnderTest.OpenAsync(_clock);
        await _under.JoinAsync(Node);
        _store = new AlertTables((ITableStore)_under.Store);
        (_first, _second) = (_clock.Transport("circuit=3,1h,10m", "first"), _clock.Transport(name: "second"));
        var faults = new List<string>();
        _router = new Router(RouteTable.Build(new RoutingOptions(), [_first, _second], faults));
        Assert.Empty(faults);
        _watch = NewWatch("one");
    }

    AlertWatch NewWatch(string node) => new(_store, _under.Store, _router, _feedback, _options, new AlertPlace(node, () => _free),
        (alert, _) =>
        {
            _ids.Add(alert.Id!);
            if (_reaches)
                _told.Add($"{alert.State} {alert.Kind} {alert.Subject}");
            return Task.FromResult(_reaches);
        }, _clock, NullLogger<AlertWatch>.Instance);

    public async ValueTask DisposeAsync()
    {
        _feedback.Dispose();
        await _under.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Looks as the loop does, for so long.</summary>
    async Task WatchAsync(TimeSpan span, Action? meanwhile = null)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += Tick)
        {
            _clock.Advance(Tick);
            meanwhile?.Invoke();
            await _watch.TickAsync(default);
        }
    }

    Task WatchAsync(int minutes, Action? meanwhile = null) => WatchAsync(TimeSpan.FromMinutes(minutes), meanwhile);

    [Fact]
    public async Task A_transport_that_is_down_is_told_once_it_lasts_and_again_when_it_is_over()
    {
        await WatchAsync(2);
        Assert.Empty(_told);
        _first.OpenCircuit();
        await WatchAsync(TimeSpan.FromSeconds(45));
        Assert.Empty(_told);
        await WatchAsync(1);
        Assert.Equal(["Raised TransportDown first"], _told);
        var alert = Assert.Single(await _store.ListAsync(default));
        Assert.Contains("Unreachable", alert.Words, StringComparison.Ordinal);

        _first.Reset();
        await WatchAsync(4);
        Assert.Single(_told);
        await WatchAsync(2);
        Assert.Equal(["Raised TransportDown first", "Resolved TransportDown first"], _told);
        await WatchAsync(8 * 24 * 60 / 4);
        Assert.NotEmpty(await _store.ListAsync(default));
    }

    [Fact]
    public async Task That_nothing_can_go_out_by_a_route_is_told_at_once()
    {
        _first.OpenCircuit();
        await WatchAsync(2);
        Assert.Equal(["Raised TransportDown first"], _told);
        Assert.EndsWith("; mail of route default goes by second", Assert.Single(await _store.ListAsync(default)).Words, StringComparison.Ordinal);
        _second.Attempt(OutcomeKind.Accepted);
        _second.Pause();
        await WatchAsync(Tick);
        Assert.Equal("Raised RouteDown default", _told[^1]);
        var alerts = (await _store.ListAsync(default)).ToDictionary(alert => alert.Kind);
        Assert.Contains("(first, second)", alerts[AlertKind.RouteDown].Words, StringComparison.Ordinal);
        Assert.EndsWith("; mail of route default waits, as none of its transports takes any", alerts[AlertKind.TransportDown].Words,
            StringComparison.Ordinal);

        _second.Resume();
        await WatchAsync(7);
        Assert.Equal("Resolved RouteDown default", _told[^1]);
    }

    [Fact]
    public async Task A_route_whose_transports_an_operator_paused_is_no_alert()
    {
        _first.Pause();
        _second.Pause();
        await WatchAsync(3);
        Assert.Empty(_told);
    }

    [Fact]
    public async Task What_comes_and_goes_is_one_alert()
    {
        for (var i = 0; i < 5; i++)
        {
            _first.OpenCircuit();
            await WatchAsync(2);
            _first.Reset();
            await WatchAsync(2);
        }
        Assert.Equal(["Raised TransportDown first"], _told);
    }

    [Fact]
    public async Task What_ends_before_it_is_raised_wakes_nobody_and_leaves_nothing()
    {
        _first.OpenCircuit();
        await WatchAsync(TimeSpan.FromSeconds(45));
        _first.Reset();
        await WatchAsync(10);
        Assert.Empty(_told);
        Assert.Empty(await _store.ListAsync(default));
    }

    [Fact]
    public async Task A_transport_that_an_operator_paused_is_no_alert()
    {
        _first.OpenCircuit();
        _first.Pause();
        await WatchAsync(5);
        Assert.Empty(_told);
    }

    [Fact]
    public async Task A_standby_that_carries_mail_is_told()
    {
        await WatchAsync(3, () => _first.Attempt(OutcomeKind.Accepted));
        Assert.Empty(_told);
        await WatchAsync(3, () => _second.Attempt(OutcomeKind.Accepted));
        Assert.Equal(["Raised StandbyCarriesTraffic second"], _told);
        await WatchAsync(7);
        Assert.Equal("Resolved StandbyCarriesTraffic second", _told[^1]);
    }

    [Fact]
    public async Task Mail_that_waits_for_too_long_is_told_by_its_stream_but_for_what_is_paused()
    {
        var mails = new StoredMails(_clock);
        await _under.Store.AcceptAsync(StoredMails.Accept(mails.Make("ann@example.org")), default);
        await WatchAsync(5);
        Assert.Empty(_told);
        await WatchAsync(3);
        Assert.Equal(["Raised OldestDueTooOld transactional"], _told);
        await _router.Pauses.AddAsync(new Pause(new PauseScope(TenantId.First, null, null), _clock.GetUtcNow(), "by a test"), default);
        await WatchAsync(7);
        Assert.Equal("Resolved OldestDueTooOld transactional", _told[^1]);
    }

    [Fact]
    public async Task Many_dead_letters_within_an_hour_are_told()
    {
        var mails = new StoredMails(_clock);
        for (var i = 0; i < 51; i++)
            await _under.Store.AcceptAsync(StoredMails.Accept(mails.Make($"a{i}@example.org")), default);
        var outcome = Routing.Transports.Outcome(OutcomeKind.Refused, OutcomeScope.Transport);
        foreach (var lease in await _under.Store.LeaseAsync(StoredMails.Key, 100, Node, _clock.GetUtcNow(), alone: false, default))
            await _under.Store.RecordAsync(new AttemptRecord
            {
                Lease = lease,
                Attempt = new Attempt { Transport = "first", StartedAt = _clock.GetUtcNow(), Outcomes = [new(0, outcome)] },
                Ends = [new(0, RecipientState.Failed, outcome, "refused by all")],
                Continues = [],
            });
        await WatchAsync(3);
        Assert.Equal(["Raised DeadLettersGrowing "], _told);
        await WatchAsync(70);
        Assert.Equal("Resolved DeadLettersGrowing ", _told[^1]);
    }

    [Fact]
    public async Task A_disk_that_fills_up_is_told_with_its_node()
    {
        _free = 1_000_000_000;
        await WatchAsync(2);
        Assert.Equal(["Raised DiskLow one"], _told);
        _free = null; // it cannot be asked any more: nothing is known
        await WatchAsync(6);
        Assert.Equal("Resolved DiskLow one", _told[^1]);
    }

    [Fact]
    public async Task A_provider_that_stops_reporting_is_told_where_it_did_and_still_takes_mail()
    {
        // The second never reported: many do not.
        await WatchAsync(8 * 60, () => { _first.Attempt(OutcomeKind.Accepted); _second.Attempt(OutcomeKind.Accepted); });
        Assert.DoesNotContain(_told, told => told.Contains("CallbacksSilent", StringComparison.Ordinal));
        Hear("first", FeedbackKind.Delivered);
        await WatchAsync(5 * 60, () => _first.Attempt(OutcomeKind.Accepted));
        Assert.DoesNotContain(_told, told => told.Contains("CallbacksSilent", StringComparison.Ordinal));
        await WatchAsync(70, () => _first.Attempt(OutcomeKind.Accepted));
        Assert.Contains("Raised CallbacksSilent first", _told);
        Hear("first", FeedbackKind.BouncedHard);
        await WatchAsync(7);
        Assert.Contains("Resolved CallbacksSilent first", _told);
    }

    [Fact]
    public async Task A_provider_that_tells_of_no_delivery_any_more_is_told()
    {
        Hear("first", FeedbackKind.Delivered);
        await WatchAsync(12 * 60 + 5, () =>
        {
            _first.Attempt(OutcomeKind.Accepted);
            Hear("first", FeedbackKind.BouncedSoft);
        });
        Assert.Equal(["Raised SentWithoutDelivered first"], _told);
        Hear("first", FeedbackKind.Delivered);
        await WatchAsync(7);
        Assert.Equal("Resolved SentWithoutDelivered first", _told[^1]);
    }

    [Fact]
    public async Task Of_two_nodes_one_tells_and_what_was_not_heard_is_told_again()
    {
        var other = NewWatch("two");
        _reaches = false;
        _first.OpenCircuit();
        await WatchAsync(2);
        Assert.Empty(_told);
        _reaches = true;
        for (var i = 0; i < 12; i++)
        {
            _clock.Advance(Tick);
            await Task.WhenAll(_watch.TickAsync(default), other.TickAsync(default));
        }
        Assert.Equal(["Raised TransportDown first"], _told);
    }

    // A node that ends between telling and noting lets another tell it again: who hears it knows it by its id.
    [Fact]
    public async Task What_is_told_again_has_the_same_id_and_what_comes_again_another()
    {
        _first.OpenCircuit();
        _reaches = false;
        await WatchAsync(2);
        Assert.Single(_ids);
        _reaches = true;
        _watch = NewWatch("two");
        await WatchAsync(3);
        _first.Reset();
        await WatchAsync(7);
        Assert.Equal(["Raised TransportDown first", "Resolved TransportDown first"], _told);
        Assert.Equal(3, _ids.Count);
        Assert.Single(_ids.Distinct());

        _first.OpenCircuit();
        await WatchAsync(2);
        Assert.NotEqual(_ids[0], _ids[^1]);
        Assert.Matches("^al_[0-9a-f]{20}$", _ids[^1]);
    }

    [Fact]
    public async Task Of_many_nodes_that_come_at_once_one_tells_each_and_another_only_when_its_time_is_up()
    {
        var (now, until) = (_clock.GetUtcNow(), _clock.GetUtcNow() + TimeSpan.FromMinutes(2));
        Finding[] findings = [.. Enumerable.Range(0, 30).Select(n => new Finding(AlertKind.DiskLow, $"node-{n:00}", "full"))];
        await _store.ReportAsync(findings, now, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _store.LeaseToldAsync(now, until))));
        Assert.Equal(findings.Select(finding => finding.Subject), taken.SelectMany(some => some).Select(alert => alert.Subject).Order());
        Assert.Empty(await _store.LeaseToldAsync(now, until));

        await _store.ToldAsync(taken.SelectMany(some => some).First(alert => alert.Subject == "node-00"));
        Assert.Equal(29, (await _store.LeaseToldAsync(until, until + TimeSpan.FromMinutes(2))).Count); // who had them has died over it
    }

    void Hear(string transport, FeedbackKind kind) => _feedback.Took(
        new FeedbackReport
        {
            Event = new FeedbackEvent { Kind = kind, Type = "test", Key = "test", At = _clock.GetUtcNow() },
            Vendor = "ses",
            Transport = transport,
        }, FeedbackResult.Moved);
}
