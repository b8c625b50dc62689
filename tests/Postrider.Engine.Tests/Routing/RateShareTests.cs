using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

/// <summary>Nodes that share a rate over a model of the budget, which is what <c>PostgresLimits</c> does in SQL.</summary>
public sealed class RateShareTests
{
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1);
    static readonly Rate Hundred = new(100, Second);

    readonly Budget _budget = new();
    readonly List<TimeSpan> _sent = [];
    TimeSpan _now = TimeSpan.FromDays(100);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(20)]
    public void However_many_nodes_send_it_is_the_rate_of_one(int nodes)
    {
        Run([.. Enumerable.Range(0, nodes).Select(_ => new Node(Hundred))], TimeSpan.FromSeconds(30));
        AssertKept();
    }

    [Fact]
    public void A_node_that_dies_takes_no_more_than_its_slices_with_it()
    {
        Node[] nodes = [new(Hundred), new(Hundred), new(Hundred)];
        Run(nodes, TimeSpan.FromSeconds(15));
        Run(nodes[..2], TimeSpan.FromSeconds(15));
        AssertKept();
    }

    [Fact]
    public void A_node_with_little_to_do_leaves_the_rest_to_the_others()
    {
        Node[] nodes = [new(Hundred), new(Hundred) { Every = Second }, new(Hundred) { Every = TimeSpan.MaxValue }];
        Run(nodes, TimeSpan.FromSeconds(30));
        AssertKept();
        Assert.InRange(nodes[1].Sent, 25, 31);
        Assert.Equal(0, nodes[2].Sent);
    }

    // After each quiet time a burst: the fullest second is one that begins with it.
    [Theory]
    [InlineData(100, 105)]
    [InlineData(1_000, 1_050)]
    public void Bursts_after_quiet_times_keep_to_the_rate_too(int rate, int most)
    {
        Node[] nodes = [new(new Rate(rate, Second)), new(new Rate(rate, Second))];
        for (var burst = 0; burst < 5; burst++, _now += 3 * Second)
            Run(nodes, 2 * Second);
        AssertNoSecondHasMoreThan(most);
    }

    [Fact]
    public void Nodes_that_all_have_work_get_equal_shares()
    {
        Node[] nodes = [new(Hundred), new(Hundred), new(Hundred)];
        Run(nodes, TimeSpan.FromSeconds(30));
        Assert.All(nodes, node => Assert.InRange(node.Sent, 900, 1_100));
    }

    [Fact]
    public void Statements_are_some_twenty_a_second_whatever_the_rate()
    {
        Run([new(new Rate(5_000, Second)), new(new Rate(5_000, Second)), new(new Rate(5_000, Second))], TimeSpan.FromSeconds(10));
        Assert.InRange(_sent.Count, 48_000, 51_000);
        Assert.InRange(_budget.Asked, 1, 300);
    }

    [Fact]
    public void After_a_quiet_time_the_burst_goes_at_once_and_once_for_all()
    {
        Run([new(new Rate(100, TimeSpan.FromDays(1), 10)), new(new Rate(100, TimeSpan.FromDays(1), 10))], TimeSpan.FromSeconds(10));
        Assert.InRange(_sent.Count, 7, 10);
    }

    // The budget hands out the oldest instants that count, and whoever asked for them comes a moment after the answer.
    [Theory]
    [InlineData(20)]
    [InlineData(100)]
    [InlineData(1_000)]
    [InlineData(20_000)]
    public void After_a_quiet_time_an_instant_lasts_for_as_long_as_any_other(int rate)
    {
        var share = new RateShare("a", new Rate(rate, Second));
        share.Want(0, isRefused: true, _now);
        share.Granted(_budget.Take(share.NextAsk(_now)!.Value, _now), _now);
        _now += TimeSpan.FromMilliseconds(25);
        Assert.True(share.Earliest(_now) <= _now);
        var instant = share.Take(_now)!.Value;
        Assert.InRange(instant + share.Grace, _now, _now + TimeSpan.FromMilliseconds(5));
        share.Return(instant, _now);
        Assert.Null(share.Earliest(_now + TimeSpan.FromMilliseconds(6)));
    }

    // One mail at a time, each through a loop that needs a moment: nothing may wait for ever because its instants are over on arrival.
    [Theory]
    [InlineData(100)]
    [InlineData(1_000)]
    [InlineData(20_000)]
    public void A_single_mail_after_a_quiet_time_goes_within_a_few_answers(int rate)
    {
        var share = new RateShare("a", new Rate(rate, Second));
        for (var mail = 0; mail < 20; mail++)
        {
            var answers = 0;
            for (; answers <= 3 && share.Take(_now) is null; answers++)
            {
                share.Want(0, isRefused: true, _now);
                if (share.NextAsk(_now) is { } ask)
                    share.Granted(_budget.Take(ask, _now), _now += TimeSpan.FromMilliseconds(3));
                _now += TimeSpan.FromMilliseconds(2);
            }
            Assert.InRange(answers, 0, 3);
            _now += Second;
        }
    }

    [Fact]
    public void Who_wanted_an_instant_when_the_budget_was_away_need_not_say_so_again()
    {
        var share = new RateShare("a", Hundred);
        share.Want(0, isRefused: true, _now);
        Assert.NotNull(share.NextAsk(_now));
        share.AskFailed();
        Assert.NotNull(share.NextAsk(_now));
    }

    [Fact]
    public void What_a_daily_allowance_holds_unused_is_given_back()
    {
        var share = new RateShare("a", new Rate(200, TimeSpan.FromDays(1)));
        share.Want(0, isRefused: true, _now);
        share.Granted(_budget.Take(share.NextAsk(_now)!.Value, _now), _now);
        Assert.Null(share.TakeUnused(_now));
        var before = _budget.Arrival;
        var unused = share.TakeUnused(_now + 2 * Second)!.Value;
        _budget.GiveBack(unused);
        Assert.Equal((1, before - unused.Gap), (unused.Count, _budget.Arrival));
        Assert.Null(share.Earliest(_now));
    }

    [Fact]
    public void Recipients_beyond_what_is_held_are_paid_for_by_those_after_them()
    {
        Run([new(Hundred) { Recipients = 30 }], TimeSpan.FromSeconds(20));
        Assert.InRange(_sent.Count / 20.0, 97, 103);
    }

    [Fact]
    public void An_instant_that_is_not_used_goes_back_and_is_lost_once_it_is_too_late()
    {
        var share = new RateShare("a", Hundred);
        share.Want(0, isRefused: true, _now);
        share.Granted(new RateGrant("a", 2, TimeSpan.Zero), _now);
        var first = share.Take(_now)!.Value;
        share.Return(first, _now);
        Assert.Equal(first, share.Take(_now));
        share.Return(first, _now + share.Grace + Step);
        Assert.Equal(first + Hundred.Interval * 1.01, share.Take(_now + share.Grace + Step));
        Assert.Null(share.Take(_now + Second));
    }

    void AssertNoSecondHasMoreThan(int most)
    {
        for (int first = 0, last = 0; last < _sent.Count; last++)
        {
            while (_sent[last] - _sent[first] >= Second)
                first++;
            Assert.InRange(last - first + 1, 1, most);
        }
    }

    void AssertKept()
    {
        AssertNoSecondHasMoreThan(105);
        for (var from = _sent[0]; from + 10 * Second <= _sent[^1]; from += Second / 10)
            Assert.InRange(_sent.Count(at => at >= from && at < from + 10 * Second), 970, 1_030);
    }

    /// <summary>Each node asks with an answer 3 ms later, and is a few milliseconds late now and then.</summary>
    void Run(IReadOnlyList<Node> nodes, TimeSpan span)
    {
        var dice = new Dice(7);
        for (var end = _now + span; _now < end; _now += Step)
            foreach (var node in nodes)
                for (var sent = node.Step(_budget, _now, isLate: dice.Next(100) < 20); sent > 0; sent--)
                    _sent.Add(_now);
    }

    sealed class Node(Rate rate)
    {
        readonly RateShare _share = new("a", rate);
        readonly Queue<TimeSpan> _taken = new();
        (RateGrant Grant, TimeSpan At)? _answer;
        TimeSpan _nextWork;

        public TimeSpan Every { get; init; }
        public int Recipients { get; init; } = 1;
        public int Sent { get; private set; }

        /// <summary>One millisecond. Returns the recipients that went.</summary>
        public int Step(Budget budget, TimeSpan now, bool isLate)
        {
            if (_answer is { } answer && answer.At <= now)
            {
                _share.Granted(answer.Grant with { FirstIn = answer.Grant.FirstIn - (now - answer.At) }, now);
                _answer = null;
            }
            while (Every != TimeSpan.MaxValue && now >= _nextWork)
            {
                var has = _share.Earliest(now) <= now;
                _share.Want(0, !has, now);
                if (!has || _taken.Count >= 1_000)
                    break;
                _taken.Enqueue(_share.Take(now)!.Value);
                _nextWork = now + Every;
            }
            if (_answer is null && _share.NextAsk(now) is { } ask)
                _answer = (budget.Take(ask, now), now + TimeSpan.FromMilliseconds(3));
            var gone = 0;
            while (!isLate && _taken.TryPeek(out var instant) && instant <= now)
            {
                _taken.Dequeue();
                if (_share.IsInDebt)
                    _share.Pay();
                else if (instant + _share.Grace >= now)
                    gone += Charge(now);
            }
            Sent += gone;
            return gone;
        }

        int Charge(TimeSpan now)
        {
            _share.Charge(Recipients - 1, now);
            return Recipients;
        }
    }

    sealed class Budget
    {
        public TimeSpan Arrival { get; private set; }
        public int Asked { get; private set; }

        public RateGrant Take(RateAsk ask, TimeSpan now)
        {
            Asked++;
            var first = Arrival > now - ask.Late ? Arrival : now - ask.Late;
            var ahead = now + 2 * Second - ask.KeepBack * ask.Gap - first;
            var given = Math.Clamp(ahead.Ticks / ask.Gap.Ticks + 1, 0, ask.Count);
            if (ahead < TimeSpan.Zero)
                return new RateGrant(ask.Key, 0, -ahead);
            Arrival = first + (int)given * ask.Gap;
            return new RateGrant(ask.Key, (int)given, first - now);
        }

        public void GiveBack(RateAsk unused) => Arrival -= unused.Count * unused.Gap;
    }
}
