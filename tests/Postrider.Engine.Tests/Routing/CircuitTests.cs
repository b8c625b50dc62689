using FsCheck;
using FsCheck.Fluent;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class CircuitTests
{
    static readonly CircuitOptions Options = new(10, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5));

    CircuitState _state;
    TimeSpan _now = TimeSpan.FromDays(1);
    CircuitChange? _change;

    void Report(CircuitEvidence evidence, int times = 1, bool probe = false, double secondsBetween = 0)
    {
        for (var i = 0; i < times; i++)
        {
            var step = Circuit.Report(_state, Options, _now, evidence, probe);
            _state = step.State;
            _change = step.Change ?? _change;
            Wait(secondsBetween);
        }
    }

    CircuitEntry Enter()
    {
        var entry = Circuit.TryEnter(_state, _now, out var step);
        _state = step.State;
        return entry;
    }

    void Wait(double seconds) => _now += TimeSpan.FromSeconds(seconds);

    [Fact]
    public void Ten_failures_in_a_row_open_it()
    {
        Report(CircuitEvidence.Failure, 9);
        Assert.Equal(CircuitEntry.Free, Enter());
        Report(CircuitEvidence.Failure);
        Assert.Equal(CircuitEntry.Refused, Enter());
        Assert.Equal(new CircuitChange(CircuitPosition.Closed, CircuitPosition.Open, TimeSpan.FromSeconds(5), "10 failures in a row"),
            _change);
    }

    [Fact]
    public void Failures_that_are_older_than_the_window_do_not_count()
    {
        Report(CircuitEvidence.Failure, 100, secondsBetween: 3.5);
        Assert.Equal(CircuitPosition.Closed, _state.Position);
    }

    [Fact]
    public void Failures_spread_over_the_window_count()
    {
        Report(CircuitEvidence.Failure, 10, secondsBetween: 2.7);
        Assert.Equal(CircuitPosition.Open, _state.Position);
    }

    [Fact]
    public void A_few_failures_among_many_successes_leave_it_closed()
    {
        for (var i = 0; i < 1_000; i++)
            Report(i % 20 == 0 ? CircuitEvidence.Failure : CircuitEvidence.Answered, secondsBetween: 0.01);
        Assert.Equal(CircuitPosition.Closed, _state.Position);
    }

    [Fact]
    public void A_transport_of_which_every_second_try_fails_opens_it_after_twenty_results()
    {
        for (var i = 0; i < 19; i++)
            Report(i % 2 == 1 ? CircuitEvidence.Failure : CircuitEvidence.Answered);
        Assert.Equal(CircuitPosition.Closed, _state.Position);
        Report(CircuitEvidence.Failure);
        Assert.Equal("10 of 20 failed", _change?.Reason);
    }

    [Fact]
    public void A_transport_of_which_two_in_five_tries_fail_is_still_of_use()
    {
        for (var i = 0; i < 1_000; i++)
            Report(i % 5 is 1 or 3 ? CircuitEvidence.Failure : CircuitEvidence.Answered, secondsBetween: 0.01);
        Assert.Equal(CircuitPosition.Closed, _state.Position);
    }

    [Theory]
    [InlineData("Answered")]
    [InlineData("Throttled")]
    [InlineData("None")]
    public void What_is_no_failure_never_opens_it(string evidence)
    {
        Report(Enum.Parse<CircuitEvidence>(evidence), 1_000);
        Assert.Equal(CircuitEntry.Free, Enter());
    }

    [Fact]
    public void A_refused_account_opens_it_at_once_and_for_longer()
    {
        Report(CircuitEvidence.Answered, 1_000);
        Report(CircuitEvidence.AccountRefused);
        Assert.Equal(TimeSpan.FromMinutes(1), _change?.OpenFor);
        Assert.Equal(CircuitEntry.Refused, Enter());
    }

    [Fact]
    public void After_the_break_exactly_one_probe_is_let_through()
    {
        Report(CircuitEvidence.Failure, 10);
        Wait(4.999);
        Assert.Equal(CircuitEntry.Refused, Enter());
        Wait(0.001);
        Assert.Equal(CircuitEntry.Probe, Enter());
        Wait(1_000);
        Assert.Equal(CircuitEntry.Refused, Enter());
    }

    [Theory]
    [InlineData("Answered")]
    [InlineData("Throttled")]
    public void An_answered_probe_closes_it(string evidence)
    {
        Report(CircuitEvidence.Failure, 10);
        Wait(5);
        Enter();
        Report(Enum.Parse<CircuitEvidence>(evidence), probe: true);
        Assert.Equal(CircuitEntry.Free, Enter());
    }

    [Fact]
    public void Nine_failures_from_before_do_not_count_after_it_closed()
    {
        Report(CircuitEvidence.Failure, 10);
        Wait(5);
        Enter();
        Report(CircuitEvidence.Answered, probe: true);
        Report(CircuitEvidence.Failure, 9);
        Assert.Equal(CircuitPosition.Closed, _state.Position);
    }

    [Fact]
    public void A_probe_that_tells_nothing_makes_room_for_another()
    {
        Report(CircuitEvidence.Failure, 10);
        Wait(5);
        Enter();
        Report(CircuitEvidence.None, probe: true);
        Assert.Equal(CircuitEntry.Probe, Enter());
        _state = Circuit.ReturnProbe(_state);
        Assert.Equal(CircuitEntry.Probe, Enter());
    }

    [Fact]
    public void Late_answers_from_before_the_break_change_nothing()
    {
        Report(CircuitEvidence.Failure, 10);
        Report(CircuitEvidence.Answered, 5);
        Report(CircuitEvidence.Failure, 5);
        Assert.Equal(CircuitPosition.Open, _state.Position);
        Wait(5);
        Enter();
        Report(CircuitEvidence.Answered, 5);
        Report(CircuitEvidence.Failure, 50);
        Assert.Equal(CircuitPosition.HalfOpen, _state.Position);
    }

    [Fact]
    public void The_break_doubles_up_to_a_minute_while_probes_fail()
    {
        var breaks = new List<double>();
        Report(CircuitEvidence.Failure, 10);
        for (var i = 0; i < 7; i++)
        {
            breaks.Add(_change!.Value.OpenFor.TotalSeconds);
            _now = _state.Until;
            Enter();
            Report(CircuitEvidence.Failure, probe: true);
        }
        Assert.Equal([5, 10, 20, 40, 60, 60, 60], breaks);
    }

    [Theory]
    [InlineData(29, 10)]
    [InlineData(31, 5)]
    public void Growth_is_forgotten_after_a_window_of_being_closed(int secondsClosed, int expectedBreak)
    {
        Report(CircuitEvidence.Failure, 10);
        Wait(5);
        Enter();
        Report(CircuitEvidence.Answered, probe: true);
        Wait(secondsClosed);
        Report(CircuitEvidence.Failure, 10);
        Assert.Equal(TimeSpan.FromSeconds(expectedBreak), _change?.OpenFor);
    }

    [Fact]
    public void Closing_it_by_hand_lets_work_flow()
    {
        Report(CircuitEvidence.AccountRefused);
        _state = Circuit.Close(_state, _now, "closed by an operator").State;
        Assert.Equal(CircuitEntry.Free, Enter());
    }

    [Fact]
    public void It_counts_as_a_plain_list_of_results_would()
    {
        // The window slides by tenths, so the model is asked at instants that are whole tenths apart.
        var histories = Gen.ListOf(
            from tenths in Gen.Choose(0, 6) from failed in Gen.Elements(true, true, true, false) select (tenths, failed), 80);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(histories.ToArbitrary(), history =>
        {
            var window = default(CircuitWindow);
            var results = new List<(long Slice, bool Failed)>();
            var slice = 0L;
            foreach (var (tenths, failed) in history)
            {
                slice += tenths;
                window = window.Add(TimeSpan.FromSeconds(3 * slice), TimeSpan.FromSeconds(30), failed);
                results.Add((slice, failed));
                var live = results.Where(result => result.Slice > slice - 10).ToList();
                var row = live.Count - 1 - live.FindLastIndex(result => !result.Failed);
                if ((window.Results, window.Failures, window.InARow) != (live.Count, live.Count(result => result.Failed), row))
                    return false;
            }
            return true;
        }));
    }

    [Fact]
    public void Never_more_than_one_probe_whatever_happens()
    {
        var acts = Gen.ListOf(from act in Gen.Choose(0, 5) from seconds in Gen.Elements(0, 0, 1, 6, 70) select (act, seconds), 100);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(acts.ToArbitrary(), list =>
        {
            var (state, now, probes) = (default(CircuitState), TimeSpan.FromDays(1), 0);
            foreach (var (act, seconds) in list)
            {
                now += TimeSpan.FromSeconds(seconds);
                if (act <= 2)
                {
                    var entry = Circuit.TryEnter(state, now, out var step);
                    state = step.State;
                    probes += entry == CircuitEntry.Probe ? 1 : 0;
                    if (entry == CircuitEntry.Free && state.Position != CircuitPosition.Closed)
                        return false;
                }
                else
                {
                    var probe = probes > 0 && act == 3;
                    var evidence = act == 5 ? CircuitEvidence.AccountRefused : CircuitEvidence.Answered;
                    state = Circuit.Report(state, Options, now, evidence, probe).State;
                    probes -= probe ? 1 : 0;
                }
                if (probes > 1 || (state.Position == CircuitPosition.HalfOpen && state.ProbeOut != (probes == 1)))
                    return false;
            }
            return true;
        }));
    }
}
