using Postrider.Delivery;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Simulation;

/// <summary>What is put on trial: transports and routes, how their providers behave, and the mail that comes.</summary>
public sealed record Scenario
{
    /// <summary>A Monday, so that days can be counted from it.</summary>
    public static readonly DateTimeOffset DefaultStart = new(2026, 1, 5, 0, 0, 0, TimeSpan.Zero);

    /// <summary>As the server reads it. Whatever the kind of a transport, its provider is simulated.</summary>
    public required RoutingOptions Routing { get; init; }
    public DeliveryOptions Delivery { get; init; } = new();

    /// <summary>How providers behave, by transport: the options of <c>sim://</c>, over those that its DSN has.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Behaviour { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, string>>();

    /// <summary>Mails that come; each has one recipient of its own.</summary>
    public int Mails { get; init; } = 30;

    /// <summary>From the start to the first mail.</summary>
    public TimeSpan FirstAfter { get; init; }

    /// <summary>From one mail to the next; zero: they come all at once.</summary>
    public TimeSpan Between { get; init; }

    public MailStream Stream { get; init; }

    /// <summary>Null: the rules choose.</summary>
    public string? Route { get; init; }
    public EmailAddress From { get; init; } = EmailAddress.Parse("shop@postrider.example");
    public TimeSpan ExpiresIn { get; init; } = TimeSpan.FromHours(24);
    public DateTimeOffset Start { get; init; } = DefaultStart;

    /// <summary>The same seed, the same run.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>By the machine's clock and on its threads; then chance has a hand in the order of things.</summary>
    public bool RealTime { get; init; }
}
