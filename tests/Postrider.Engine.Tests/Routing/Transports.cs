using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

/// <summary>Transports and outcomes for the tests of this room.</summary>
static class Transports
{
    public static readonly ProviderCapabilities Anything = new() { SmtpUtf8 = true };

    /// <param name="known">It has had a result, so that all its slots are open.</param>
    /// <param name="options">As in a DSN: <c>concurrency=2&amp;rate=14/s</c>.</param>
    public static Transport Transport(this ManualClock clock, string options = "", string name = "a",
        ProviderCapabilities? capabilities = null, bool known = true)
    {
        var faults = new List<TransportFault>();
        var settings = TransportDsn.ParseAll($"{name}=smtp://localhost?{options}", faults);
        var transport = new Transport(TransportOptions.From(settings.Single(), faults, []), capabilities
            ?? Anything, clock)
        { IsKnown = known };
        Assert.Empty(faults);
        return transport;
    }

    public static Outcome Outcome(OutcomeKind kind, OutcomeScope scope = OutcomeScope.Recipient, TimeSpan? retryAfter = null) =>
        new(kind, scope, new Reply(0, null, "as told"), retryAfter);

    /// <summary>One whole attempt: taken, charged, reported, its slot freed.</summary>
    public static void Attempt(this Transport transport, OutcomeKind kind, OutcomeScope scope = OutcomeScope.Recipient,
        TimeSpan? retryAfter = null, string? senderDomain = null)
    {
        using var permit = transport.TryTake(MailStream.Transactional);
        Assert.NotNull(permit);
        Assert.Equal(TimeSpan.Zero, permit.Charge(1, senderDomain));
        permit.Report(Outcome(kind, scope, retryAfter));
    }

    public static void Attempts(this Transport transport, int times, OutcomeKind kind)
    {
        for (var i = 0; i < times; i++)
            transport.Attempt(kind);
    }

    public static void OpenCircuit(this Transport transport) =>
        transport.Attempts(transport.Options.Circuit!.Value.Failures, OutcomeKind.Unreachable);
}
