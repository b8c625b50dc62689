using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers.Simulated;

/// <summary><c>sim://NAME?…</c>: behaves like a provider with faults; nothing leaves.
/// One seed and one order of calls give one sequence of outcomes.</summary>
sealed class SimulatedProvider(SimulatedOptions options, TimeProvider clock, Entropy entropy) : IProvider
{
    readonly long _madeAt = clock.GetTimestamp();
    readonly Lock _lock = new();                     // around entropy
    long _accepted;

    /// <summary>Of whom it stands for.</summary>
    public ProviderCapabilities Capabilities { get; init; } = new() { MaxRecipients = 1_000, SmtpUtf8 = true };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        var (latency, outcomes) = Decide(envelope.Recipients.Count);
        try
        {
            await WaitAsync(latency / 2, ct);
        }
        catch (OperationCanceledException)
        {
            return All(envelope, OutcomeKind.Unreachable, OutcomeScope.Transport, 0, null, "cut while connecting");
        }
        if (options.IsOut(clock.GetElapsedTime(_madeAt)))
            return All(envelope, OutcomeKind.Unreachable, OutcomeScope.Transport, 0, null, "simulated outage");
        try
        {
            if (envelope.LastLeave is { } leave && !await leave(ct))
                return All(envelope, OutcomeKind.Unreachable, OutcomeScope.Message, 0, null,
                    "nothing was sent: the commit point was refused");
        }
        catch (OperationCanceledException)
        {
            return All(envelope, OutcomeKind.Unreachable, OutcomeScope.Transport, 0, null, "cut before the commit point");
        }
        try
        {
            await WaitAsync(latency / 2, ct);
        }
        catch (OperationCanceledException)
        {
            return All(envelope, OutcomeKind.Unknown, OutcomeScope.Message, 0, null, "cut while waiting for the answer");
        }
        return outcomes;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    Task WaitAsync(TimeSpan span, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return span > TimeSpan.Zero ? Task.Delay(span, clock, ct) : Task.CompletedTask;
    }

    /// <summary>All chance of one call, drawn at once.</summary>
    (TimeSpan Latency, IReadOnlyList<Outcome> Outcomes) Decide(int recipients)
    {
        lock (_lock)
        {
            var latency = options.ShortestLatency + (options.LongestLatency - options.ShortestLatency) * entropy.NextDouble();
            var fate = entropy.NextDouble();
            var outcomes = new Outcome[recipients];
            for (var i = 0; i < recipients; i++)
                outcomes[i] = OfCall(fate) ?? OfRecipient(entropy.NextDouble());
            return (latency, outcomes);
        }
    }

    /// <summary>Null: the call goes well, each recipient has an outcome of its own.</summary>
    Outcome? OfCall(double fate)
    {
        if ((fate -= options.Fail) < 0)
            return New(OutcomeKind.Unreachable, OutcomeScope.Transport, 503, null, "simulated failure");
        if ((fate -= options.Refuse) < 0)
            return New(OutcomeKind.Refused, OutcomeScope.Transport, 535, "5.7.8", "simulated refusal of the account");
        if ((fate -= options.Throttle) < 0)
            return New(OutcomeKind.Throttled, OutcomeScope.Transport, 429, null, "simulated throttling", options.RetryAfter);
        return fate - options.Unknown < 0 ? New(OutcomeKind.Unknown, OutcomeScope.Message, 0, null, "simulated loss of the answer") : null;
    }

    Outcome OfRecipient(double fate)
    {
        if ((fate -= options.Bounce) < 0)
            return New(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1", "simulated: no such mailbox");
        if (fate - options.Defer < 0)
            return New(OutcomeKind.Deferred, OutcomeScope.Recipient, 450, "4.2.0", "simulated: try again later");
        var id = string.Create(CultureInfo.InvariantCulture, $"sim-{++_accepted}");
        return new Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, "2.0.0", $"simulated: accepted as {id}"),
            ProviderId: id);
    }

    static Outcome[] All(OutgoingEnvelope envelope, OutcomeKind kind, OutcomeScope scope, int code, string? enhanced, string text) =>
        [.. Enumerable.Repeat(New(kind, scope, code, enhanced, text), envelope.Recipients.Count)];

    static Outcome New(OutcomeKind kind, OutcomeScope scope, int code, string? enhanced, string text, TimeSpan? retryAfter = null) =>
        new(kind, scope, new Reply(code, enhanced, text), retryAfter);
}

/// <summary>Makes <c>sim://</c> transports.</summary>
public sealed class SimulatedProviderFactory(TimeProvider clock, Entropy entropy) : IProviderFactory
{
    public string Scheme => "sim";
    public IReadOnlyCollection<string> OptionNames => SimulatedOptions.Names;

    /// <summary>What the value of one option has to be, behind "is"; null: it is that.</summary>
    /// <param name="name">One of <see cref="OptionNames"/>.</param>
    public static string? Expects(string name, string value) => SimulatedOptions.Expects(name, value);

    public IReadOnlyList<string> Check(TransportSettings settings)
    {
        var faults = new List<string>();
        SimulatedOptions.Read(settings, faults);
        return faults;
    }

    public IProvider Create(TransportSettings settings)
    {
        var options = SimulatedOptions.Read(settings, []);
        return new SimulatedProvider(options, clock, options.Seed is { } seed ? new SeededEntropy(seed) : entropy);
    }
}

/// <summary>Repeatable numbers from a seed (SplitMix64: Steele, Lea, Flood 2014). Not for keys. Thread-safe.</summary>
sealed class SeededEntropy(ulong seed) : Entropy
{
    ulong _state = seed;

    public override void Fill(Span<byte> bytes)
    {
        Span<byte> eight = stackalloc byte[8];
        while (!bytes.IsEmpty)
        {
            BitConverter.TryWriteBytes(eight, Next());
            var taken = Math.Min(8, bytes.Length);
            eight[..taken].CopyTo(bytes);
            bytes = bytes[taken..];
        }
    }

    ulong Next()
    {
        var z = Interlocked.Add(ref _state, 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
