using Microsoft.Extensions.Logging;
using Postrider.Delivery;
using Postrider.Engine.Tests.Routing;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

public sealed class TransportLogTests : ILogger<TransportLog>
{
    readonly ManualClock _clock = new();
    readonly List<string> _lines = [];
    readonly Router _router;

    public TransportLogTests()
    {
        _router = new Router(RouteTable.Build(new RoutingOptions(), [_clock.Transport(name: "a"), _clock.Transport(name: "b")], []));
        _router.TransportChanged += new TransportLog(_router, this).Note;
    }

    Transport Of(string name) => _router.Table.FindTransport(name)!;

    [Fact]
    public void A_transport_that_dies_and_comes_back_is_told_once_each_way()
    {
        var transport = Of("a");
        transport.OpenCircuit();
        Assert.StartsWith("Warning Transport a failed (", Assert.Single(_lines), StringComparison.Ordinal);
        Assert.Contains("Unreachable, as told", _lines[0], StringComparison.Ordinal);

        _clock.Advance(TimeSpan.FromHours(1));
        transport.Attempt(OutcomeKind.Unreachable); // the probe
        Assert.Single(_lines);

        _clock.Advance(TimeSpan.FromHours(1));
        transport.Attempt(OutcomeKind.Accepted);
        Assert.Equal("Warning Transport a is back: the probe was answered", _lines[^1]);
        Assert.Equal(2, _lines.Count);
    }

    [Fact]
    public void A_route_without_a_way_out_is_told_as_well()
    {
        Of("a").OpenCircuit();
        Of("b").OpenCircuit();
        Assert.Equal("Error Route default has no transport left that takes mail (a, b): its mail waits", _lines[^1]);

        _clock.Advance(TimeSpan.FromHours(1));
        Of("b").Attempt(OutcomeKind.Accepted);
        Assert.Equal("Warning Route default has a transport again", _lines[^1]);
    }

    [Fact]
    public void A_route_whose_other_transport_cannot_be_used_has_no_way_out_either()
    {
        var unusable = new Transport(Of("b").Options with { Fault = "it was made elsewhere" }, Routing.Transports.Anything, _clock);
        _router.Replace(RouteTable.Build(new RoutingOptions(), [Of("a"), unusable], []));
        Of("a").OpenCircuit();
        Assert.Equal("Error Route default has no transport left that takes mail (a, b): its mail waits", _lines[^1]);
    }

    [Fact]
    public void A_transport_that_does_not_answer_is_told_and_that_it_answers_again()
    {
        using (var permit = Of("a").TryTake(MailStream.Transactional))
        {
            permit!.Charge(1);
            _clock.Advance(TimeSpan.FromMinutes(5));
            Assert.True(Of("a").GetStatus().Stalled);
            permit.Report(Routing.Transports.Outcome(OutcomeKind.Accepted));
        }
        Assert.Collection(_lines,
            line => Assert.StartsWith("Warning Transport a stalled: ", line, StringComparison.Ordinal),
            line => Assert.StartsWith("Warning Transport a no longer stalls: ", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("550 no such user ann.smith@example.com here", "550 no such user a***@example.com here")]
    [InlineData("<ann@example.com>: refused; bob@example.net, too", "<a***@example.com>: refused; b***@example.net, too")]
    [InlineData("at @ noon", "at @ noon")]
    [InlineData("nothing", "nothing")]
    public void Of_an_address_in_an_answer_the_domain_is_left(string said, string logged) =>
        Assert.Equal(logged, AddressMask.InText(said));

    [Fact]
    public void A_refused_sender_domain_is_told()
    {
        Of("a").Attempt(OutcomeKind.Refused, OutcomeScope.SenderDomain, senderDomain: "shop.example");
        Assert.Contains("shop.example: as told", Assert.Single(_lines), StringComparison.Ordinal);
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;
    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) => _lines.Add($"{logLevel} {formatter(state, exception)}");
}
