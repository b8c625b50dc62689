using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

/// <summary>What is down and what stands by: alerts, the doctor, metrics and the API all go by this table.</summary>
public sealed class TransportStateTests
{
    static readonly DateTimeOffset Soon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    readonly ManualClock _clock = new();

    TransportStatus Status => _clock.Transport().GetStatus();

    [Theory]
    [InlineData("", TransportState.Ok, true, null)]
    [InlineData("throttled", TransportState.Throttled, true, null)]
    [InlineData("half-open", TransportState.HalfOpen, false, "failed too often, last with Unreachable: nobody at a***@example.org")]
    [InlineData("half-open throttled", TransportState.HalfOpen, false, "failed too often, last with Unreachable: nobody at a***@example.org")]
    [InlineData("open", TransportState.Open, false, "failed too often, last with Unreachable: nobody at a***@example.org")]
    [InlineData("open silent", TransportState.Open, false, "failed too often")]
    [InlineData("stalled", TransportState.Stalled, false, "does not answer")]
    [InlineData("stalled open", TransportState.Stalled, false, "does not answer")]
    [InlineData("fault", TransportState.Unusable, false, "cannot be used: a private address")]
    [InlineData("fault stalled open", TransportState.Unusable, false, "cannot be used: a private address")]
    [InlineData("paused", TransportState.Paused, false, null)]
    [InlineData("paused stalled open throttled", TransportState.Paused, false, null)]
    [InlineData("paused fault", TransportState.Unusable, false, null)]
    public void The_worst_is_its_state_and_what_an_operator_paused_is_not_down(
        string wrong, TransportState state, bool takesMail, string? trouble)
    {
        var words = wrong.Split(' ');
        var status = Status with
        {
            Fault = words.Contains("fault") ? "a private address" : null,
            Paused = words.Contains("paused"),
            Stalled = words.Contains("stalled"),
            Circuit = words.Contains("open") ? CircuitPosition.Open
                : words.Contains("half-open") ? CircuitPosition.HalfOpen : CircuitPosition.Closed,
            ThrottledUntil = words.Contains("throttled") ? Soon : null,
            LastErrors = words.Contains("silent") ? [] : [new TransportError(Soon, OutcomeKind.Unreachable, OutcomeScope.Transport,
                new Reply(0, null, "nobody at ann@example.org"))],
        };
        Assert.Equal((state, takesMail, trouble), (status.State, status.TakesMail, status.Trouble));
    }

    /// <summary>Each route as its strategy and its transports; "main" and "spare" are there always.</summary>
    [Theory]
    [InlineData("priority main spare", "spare")]
    [InlineData("priority main spare third", "spare third")]
    [InlineData("sticky main spare", "")]
    [InlineData("round_robin main spare", "")]
    [InlineData("weighted main spare", "")]
    [InlineData("priority main spare; priority spare main", "")]
    [InlineData("priority main spare; priority spare", "")]
    [InlineData("priority main spare; round_robin third spare", "")]
    [InlineData("priority main spare; priority third spare", "spare")]
    [InlineData("priority main", "")] // the others are in no route
    public void A_standby_is_behind_the_first_of_every_route_that_it_is_in(string routes, string standbys)
    {
        var transports = new[] { "main", "spare", "third" }.Select(name => _clock.Transport(name: name)).ToList();
        var options = new RoutingOptions();
        foreach (var (index, words) in routes.Split("; ").Select(route => route.Split(' ')).Index())
            options.Routes[index == 0 ? "default" : $"r{index}"] =
                new RouteOptions { Strategy = words[0], Transports = string.Join(' ', words[1..]) };
        var faults = new List<string>();
        var table = RouteTable.Build(options, transports, faults);
        Assert.Empty(faults);
        Assert.Equal(standbys, string.Join(' ', transports.Where(table.IsStandby).Select(transport => transport.Name)));
    }
}
