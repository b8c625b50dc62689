using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Suppression;
using Postrider.Templates;
using Outcome = Postrider.Messages.Outcome;

namespace Postrider.Delivery;

/// <summary>One transport with its provider: makes attempts through the middlewares and sees to it that each is recorded.</summary>
/// <remarks>
/// Outermost first: retry within the attempt (only what is known unsent for the whole call), then for each try circuit breaker and rate
/// limiter
/// (<see cref="Permit.Charge"/>), concurrency (the permit itself, held until the outcome is committed), timeout, send.
/// </remarks>
sealed partial class Lane
{
    /// <summary>A provider that asks for a longer wait than this is left alone; the next transport is the better second try.</summary>
    static readonly TimeSpan LongestWaitWithin = TimeSpan.FromSeconds(2);

    /// <summary>From a cancellation to its end: no provider has more to do than to close a connection.</summary>
    static readonly TimeSpan TimeToEnd = TimeSpan.FromSeconds(5);

    /// <summary>Withdrawn by ourselves: no circuit learns from it.</summary>
    static readonly Outcome NotAsked = new(OutcomeKind.Unfit, OutcomeScope.Recipient, new Reply(0, null, "withdrawn before it was sent"));

    readonly IProvider _provider;
    readonly LaneParts _parts;
    readonly ILogger _logger;
    readonly ResiliencePipeline<Tried> _retry;

    public Lane(Transport transport, IProvider provider, LaneParts parts)
    {
        Transport = transport;
        _provider = provider;
        _parts = parts;
        _logger = parts.Logger;
        _retry = RetryOf(transport.Options.Retry, parts);
    }

    public Transport Transport { get; }

    /// <summary>One attempt for one lease. What a peer does to us is an outcome; only bugs throw.</summary>
    public async Task<AttemptEnd> AttemptAsync(Lease lease, Permit permit, Route route, LaneStop stop)
    {
        using var span = AttemptTrace.Attempt(lease, Transport);
        var startedAt = _parts.Time.Now;
        var began = _parts.Clock.GetTimestamp();
        var facts = new AttemptFacts(Transport.Name, _provider.Capabilities.Idempotent, PatienceOf(route, lease.Envelope.Key.Stream),
            Transport.Options.Place);

        if (_parts.MayReceive is { } guard && FailurePolicy.Bar(lease, guard, _parts.Time.Earliest) is { } barred)
            return await RecordAsync(lease, new Attempt { StartedAt = startedAt, Outcomes = [] }, barred, stop);
        if (FailurePolicy.Stop(lease, facts.Route, _parts.Time.Earliest, _parts.Jitter()) is { } stopped)
            return await RecordAsync(lease, new Attempt { StartedAt = startedAt, Outcomes = [] }, stopped, stop);

        var inHand = _parts.InHand.Begin(lease, Transport.Name, startedAt);
        Tried tried;
        try
        {
            tried = await SendAsync(lease, permit, stop);
        }
        finally
        {
            _parts.InHand.End(lease, inHand);
        }
        var (outcomes, withdrawn, remark) = tried;
        if (outcomes is null)
            return withdrawn ? AttemptEnd.Withdrawn : AttemptEnd.NotStarted;

        var took = _parts.Clock.GetElapsedTime(began);
        if (span is not null)
            AttemptTrace.End(span, outcomes);
        var attempt = new Attempt
        {
            Transport = Transport.Name,
            StartedAt = startedAt,
            Duration = took,
            PassedOver = PassedOver(lease, permit, route),
            Outcomes = outcomes,
        };
        var decision = FailurePolicy.Next(lease, facts, outcomes, _parts.Time.Earliest, _parts.Jitter());
        return await RecordAsync(lease, attempt, decision, stop, remark);
    }

    /// <summary>One try outside of all attempts: no permit, no report to circuit and limiter, nothing recorded.</summary>
    public async ValueTask<IReadOnlyList<Outcome>> ProbeAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Transport.Options.Timeout ?? Timeout.InfiniteTimeSpan, _parts.Clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        return await AskAsync(envelope, cut.Token);
    }

    async Task<AttemptEnd> RecordAsync(Lease lease, Attempt attempt, Decision decision, LaneStop stop, string? remark = null)
    {
        var record = new AttemptRecord
        {
            Lease = lease,
            Attempt = attempt,
            Ends = decision.Ends,
            Continues = decision.Continues,
            Remarks = remark is null ? Remarks(lease, attempt) : [.. Remarks(lease, attempt), remark],
            TrackingSkipped = remark,
        };
        using var span = lease.Message.Content.Trace == default ? null : MailTrace.Start("postrider.record");
        return await _parts.Recorder.RecordAsync(record, stop.GiveUp, Transport.Label) is null ? AttemptEnd.Lost : AttemptEnd.Recorded;
    }

    /// <summary>Tries until the outcome may not be tried again. Without outcomes nothing was sent.</summary>
    async Task<Tried> SendAsync(Lease lease, Permit permit, LaneStop stop)
    {
        if (MergedContent.Of(lease.Message.Content, out var why) is not { } content)
            return new Tried([.. lease.Recipients.Where(r => !lease.Suppressed.ContainsKey(r.N)).Select(r => new RecipientOutcome(
                r.N, new Outcome(OutcomeKind.Rejected, OutcomeScope.Message, new Reply(0, "5.6.0", why))))]);
        if (_parts.Unsubscribe is { } links)
            content = links.AddTo(
                content, lease.Envelope.Key.Tenant, lease.Envelope.Key.Stream, lease.Message.Id, lease.Message.Recipients);
        string? remark = null;
        if (_parts.Finish is { } finish)
            content = finish(lease.Envelope.Key, lease.Message, content, out remark);
        lease = lease with { Message = lease.Message with { Content = content } };
        var fitting = Fitting.Of(lease, _provider.Capabilities, Transport.Options);
        if (fitting.Recipients.Count == 0)
            return new Tried(fitting.Unfit);

        var leave = new LastLeave(_parts, lease, Transport.Name);
        var envelope = Outgoing(lease, fitting, leave) with { Moved = permit.Moved };
        var last = default(Tried);
        // What drives this engine (the pool, or a simulation's thread) drives what goes on after a wait, too.
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: true, stop.Draining);
        try
        {
            await _retry.ExecuteAsync(async _ =>
            {
                var tried = await TryAsync(envelope, permit, leave, stop);
                last = tried.Outcomes is null ? last : tried;
                return tried;
            }, context);
        }
        catch (OperationCanceledException) when (stop.Draining.IsCancellationRequested)
        {
            // The wait before the next try ended: what the last one came to stands.
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
        return last.Outcomes is null ? new Tried(null, leave.WasRefused) : new Tried([.. last.Outcomes, .. fitting.Unfit], Remark: remark);
    }

    /// <summary>One try: leave of circuit and limiter, then the provider under its timeout.</summary>
    async ValueTask<Tried> TryAsync(OutgoingEnvelope envelope, Permit permit, LastLeave leave, LaneStop stop)
    {
        var domains = Transport.Options.Domains.Count > 0 ? Dispatcher.DomainsOf(envelope.Recipients) : null;
        while (permit.Charge(envelope.Recipients.Count, envelope.Content.From.Address.AsciiDomain, domains) is var wait
            && wait != TimeSpan.Zero)
        {
            if (wait is not { } limited || limited > LongestWaitWithin)
                return default;
            _parts.Recorder.Limited(Transport.Label, limited);
            await Task.Delay(limited, _parts.Clock, stop.Draining);
        }
        if (!leave.MaySend())
            return default;
        using var timeout = new CancellationTokenSource(Transport.Options.Timeout ?? Timeout.InfiniteTimeSpan, _parts.Clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop.Now);
        var outcomes = BrokenOnPurpose(envelope) ?? await AskAsync(envelope, cut.Token);
        if (!leave.WasRefused)
        {
            permit.Report(outcomes);
            return new Tried([.. envelope.Recipients.Select((r, i) => new RecipientOutcome(r.N, outcomes[i]))]);
        }
        if (!outcomes.Any(outcome => MayHaveBeenTaken(outcome.Kind)))
            return default; // cancelled, suppressed, expired or fenced meanwhile: nothing was sent, and the transport is not to blame
        permit.Report([.. outcomes.Select(outcome => IsAnswered(outcome.Kind) ? outcome : NotAsked)]);
        return new Tried([.. envelope.Recipients.Select((r, i) => new RecipientOutcome(r.N, outcomes[i]))
            .Where(outcome => IsAnswered(outcome.Outcome.Kind))]);
    }

    /// <summary>A fire drill: the provider is not asked. Null: it is.</summary>
    Outcome[]? BrokenOnPurpose(OutgoingEnvelope envelope)
    {
        if (_parts.Drills?.Of(Transport.Key, _parts.Time.Now) is not { } drill || _parts.Jitter() >= drill.Fail)
            return null;
        var broken = new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport,
            new Reply(0, null, $"fire drill until {drill.Until:u}: nothing was sent to {Transport.Name}"));
        return [.. envelope.Recipients.Select(_ => broken)];
    }

    /// <summary>What an earlier transaction of the same attempt came to, before leave was refused: to forget it would be to send it
    /// twice.</summary>
    static bool MayHaveBeenTaken(OutcomeKind kind) => kind is OutcomeKind.Accepted or OutcomeKind.Unknown;

    /// <summary>Something of the remote's own, where leave was refused. The rest was not sent, and goes on as it was.</summary>
    static bool IsAnswered(OutcomeKind kind) => MayHaveBeenTaken(kind) || kind is OutcomeKind.Rejected or OutcomeKind.Deferred;

    /// <summary>The provider, with the guard against its bugs: what it threw in the middle of may have been accepted.</summary>
    async ValueTask<IReadOnlyList<Outcome>> AskAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        string fault;
        try
        {
            var outcomes = await EndingAsync(_provider.SendAsync(envelope, ct), ct);
            if (outcomes.Count == envelope.Recipients.Count)
                return outcomes;
            fault = $"{outcomes.Count} outcomes for {envelope.Recipients.Count} recipients";
            LogWrongCount(Transport.Name, envelope.Message, fault);
        }
        catch (Exception e)
        {
            fault = e.GetType().Name;
            LogProviderThrew(e, Transport.Name, envelope.Message);
        }
        var unknown = new Outcome(OutcomeKind.Unknown, OutcomeScope.Message, new Reply(0, null, $"fault inside the provider: {fault}"));
        return [.. envelope.Recipients.Select(_ => unknown)];
    }

    /// <summary>A provider that does not end when it is told to is left behind: a node that stops must not wait for it for ever.</summary>
    async ValueTask<IReadOnlyList<Outcome>> EndingAsync(ValueTask<IReadOnlyList<Outcome>> sending, CancellationToken ct)
    {
        if (sending.IsCompleted)
            return await sending;
        using var abandon = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _parts.Clock);
        await using var told = ct.Register(() => abandon.CancelAfter(TimeToEnd));
        var answer = sending.AsTask();
        try
        {
            return await answer.WaitAsync(abandon.Token);
        }
        catch (OperationCanceledException) when (abandon.IsCancellationRequested && !answer.IsCompleted)
        {
            throw new TimeoutException($"it did not end within {TimeToEnd.TotalSeconds:0} s of being told to");
        }
    }

    static OutgoingEnvelope Outgoing(Lease lease, Fitting fitting, LastLeave leave) => new()
    {
        Message = lease.Message.Id,
        Tenant = lease.Envelope.Key.Tenant,
        ReversePath = lease.Message.Content.MailFrom,
        Content = fitting.Content,
        Recipients = fitting.Recipients,
        AllRecipients = lease.Message.Recipients,
        Stream = lease.Envelope.Key.Stream,
        Generation = lease.Message.Generation,
        CommitPoint = lease.Envelope.OnAmbiguous == AmbiguityPolicy.Hold ? leave.PassAsync : null,
        MaySend = leave.MaySend,
    };

    /// <summary>Those that gave no permit; and, as permits are taken before it is known for whom, those that this envelope has behind
    /// it.</summary>
    static IReadOnlyList<PassedOver> PassedOver(Lease lease, Permit permit, Route route)
    {
        if (lease.Envelope.History is { RefusedBy.Count: 0, FailedThisRound.Count: 0, PinnedTo: null })
            return permit.PassedOver;
        var needs = new EnvelopeNeeds { History = lease.Envelope.History };
        return
        [
            .. permit.PassedOver,
            .. route.Transports.Where(other => other != permit.Transport && permit.PassedOver.All(one => one.Transport != other.Name))
                .Select(other => (other.Name, Reason: needs.WhyNever(other))).Where(one => one.Reason is not null)
                .Select(one => new PassedOver(one.Name, one.Reason!.Value)),
        ];
    }

    List<string> Remarks(Lease lease, Attempt attempt)
    {
        if (attempt.Transport is not { } transport)
            return [];
        var remarks = new List<string>();
        var history = lease.Envelope.History;
        if (history.Last is { } last && last != transport)
            remarks.Add($"went over from {last} to {transport}");
        if (history.PossibleDuplicate)
            remarks.Add("possible duplicate: an earlier attempt may have been accepted");
        var wasTakenApart = lease.Message.Content.Mime is not null && !_provider.Capabilities.WholeMessages
            && attempt.Outcomes.Any(outcome => outcome.Outcome.Kind != OutcomeKind.Unfit);
        if (wasTakenApart)
            remarks.Add(TakenApart.Remark(transport));
        return remarks;
    }

    public RoutePatience PatienceOf(Route route, MailStream stream) => new(
        [.. route.Transports.Select(t => t.Name)],
        route.Settings.Retry,
        route.Settings.SpillAfter,
        _provider.Capabilities.Settle
            ?? (stream == MailStream.Transactional ? _parts.Options.SettleTransactional : _parts.Options.SettleBulk),
        [.. route.Transports.Select(t => t.Options.Place)]);

    static ResiliencePipeline<Tried> RetryOf(AttemptRetry retry, LaneParts parts) => retry.Kind == AttemptRetryKind.None
        ? ResiliencePipeline<Tried>.Empty
        : new ResiliencePipelineBuilder<Tried> { TimeProvider = parts.Clock }.AddRetry(new RetryStrategyOptions<Tried>
        {
            MaxRetryAttempts = retry.Count,
            Delay = retry.Delay,
            BackoffType = retry.Kind == AttemptRetryKind.Exponential ? DelayBackoffType.Exponential : DelayBackoffType.Constant,
            UseJitter = retry.Kind == AttemptRetryKind.Exponential,
            Randomizer = parts.Jitter,
            ShouldHandle = arguments => ValueTask.FromResult(MayTryAgain(arguments.Outcome.Result)),
        }).Build();

    /// <summary>Only where the whole call is known unsent, and nothing says that it would fare the same.</summary>
    public static bool MayTryAgain(Tried tried) => tried.Outcomes is { Count: > 0 } outcomes && outcomes.All(o => MayFareBetter(o.Outcome));

    static bool MayFareBetter(Outcome outcome) => outcome.Kind is OutcomeKind.Unreachable
        || (outcome.Kind is OutcomeKind.Throttled && outcome.RetryAfter is { } asked && asked <= LongestWaitWithin);

    [LoggerMessage(LogLevel.Error, "{Transport}: the provider failed in an attempt for {Message}; it is treated as unknown")]
    partial void LogProviderThrew(Exception e, string transport, MessageId message);

    [LoggerMessage(LogLevel.Error, "{Transport}: the provider answered {Message} with {Fault}; it is treated as unknown")]
    partial void LogWrongCount(string transport, MessageId message, string fault);
}

/// <summary>Puts the last touch to a content before it is sent. The same for the same message every time, so that each try is the same
/// bytes.</summary>
/// <param name="remark">For the timeline; null: nothing to say.</param>
public delegate MessageContent ContentFinish(QueueKey key, LeasedMessage message, MessageContent content, out string? remark);

/// <summary>Whether this installation may write to somebody. Asked before each attempt, so that neither a retry nor a copy of another
/// installation's queue gets past it.</summary>
public delegate bool MayReceive(EmailAddress address);

/// <summary>What every lane of a node works with.</summary>
sealed record LaneParts(IQueueStore Store, Recorder Recorder, DeliveryOptions Options, TimeProvider Clock, SteadyTime Time,
    Entropy Entropy, ThisNode Node, AttemptsInHand InHand, ILogger<Lane> Logger, UnsubscribeLinks? Unsubscribe = null)
{
    /// <summary>Null: contents are sent as they are.</summary>
    public ContentFinish? Finish { get; init; }

    /// <summary>Null: everybody may.</summary>
    public MayReceive? MayReceive { get; init; }

    /// <summary>Null: nothing is broken on purpose.</summary>
    public Drills? Drills { get; init; }

    public double Jitter() => Entropy.NextDouble();
}

/// <summary>How an attempt is told to end.</summary>
/// <param name="Draining">The node stops: begin nothing new, wait for nothing but answers.</param>
/// <param name="Now">The patience for running attempts is over, or the leases are lost: they are cut.</param>
/// <param name="GiveUp">Outcomes do not wait for the store any more.</param>
readonly record struct LaneStop(CancellationToken Draining, CancellationToken Now, CancellationToken GiveUp);

/// <summary>What became of a lease that a lane was given.</summary>
enum AttemptEnd : byte
{
    /// <summary>Its outcome is on disk.</summary>
    Recorded,
    /// <summary>Nothing was sent, because the transport gave no leave any more. The lease is still held.</summary>
    NotStarted,
    /// <summary>Nothing was sent, because the commit point was refused: cancelled, suppressed, expired or fenced meanwhile.</summary>
    Withdrawn,
    /// <summary>The node stops, or the store has failed for good, and it did not take the outcome: the row stays leased for the
    /// sweep.</summary>
    Lost,
}

/// <summary>The outcomes of a try; null when nothing was sent.</summary>
/// <param name="Withdrawn">The commit point was refused.</param>
/// <param name="Remark">For the timeline; null: nothing to say.</param>
readonly record struct Tried(IReadOnlyList<RecipientOutcome>? Outcomes, bool Withdrawn = false, string? Remark = null);

/// <summary>What is asked before the last byte leaves: whether this node may still believe in its lease, and for at-most-once the
/// store.</summary>
sealed class LastLeave(LaneParts parts, Lease lease, string transport)
{
    /// <summary>It was asked and said no: nothing was sent from there on.</summary>
    public bool WasRefused { get; private set; }

    /// <summary>Without the store: a lease whose node may have been declared dead is perhaps another's.</summary>
    public bool MaySend() => !(WasRefused |= !parts.Node.MayActFor(lease));

    public async ValueTask<bool> PassAsync(CancellationToken ct)
    {
        try
        {
            if (MaySend())
                WasRefused = !await parts.Store.CommitPointAsync(lease, transport, parts.Time.Earliest, ct);
        }
        catch (StoreUnavailableException)
        {
            WasRefused = true; // not known to be on disk, so nothing is sent
        }
        return MaySend();
    }
}

/// <summary>Whom of a lease this provider can be asked to carry now; the rest without asking it.</summary>
/// <param name="Content">As this provider is asked to carry it.</param>
/// <param name="Recipients">At most as many as fit in one call; those beyond go on at once.</param>
readonly record struct Fitting(MessageContent Content, IReadOnlyList<MessageRecipient> Recipients, IReadOnlyList<RecipientOutcome> Unfit)
{
    public static Fitting Of(Lease lease, ProviderCapabilities can, TransportOptions transport)
    {
        var open = lease.Recipients.Where(r => !lease.Suppressed.ContainsKey(r.N)).ToList();
        if (WhyNobody(lease.Message, can, transport, out var content) is { } all)
            return new Fitting(content, [], [.. open.Select(r => Unfits(r, OutcomeScope.Message, "5.3.4", all))]);
        var unfit = can.SmtpUtf8 ? [] : open.Where(r => r.Mailbox.Address.NeedsSmtpUtf8).ToList();
        return new Fitting(
            content,
            [.. open.Except(unfit).Take(can.MaxRecipients)],
            [.. unfit.Select(r => Unfits(r, OutcomeScope.Recipient, "5.6.7", $"{transport.Name} cannot carry this address (no SMTPUTF8)"))]);
    }

    /// <summary>Why this provider can carry the message to nobody; null when it can, as <paramref name="content"/>.</summary>
    static string? WhyNobody(LeasedMessage message, ProviderCapabilities can, TransportOptions options, out MessageContent content)
    {
        content = message.Content;
        var transport = options.Name;
        var from = content.From.Address;
        if (options.Senders?.Include(from.AsciiDomain) == false)
            return $"{transport} is not set up for mail from {from.Domain} (its option from=)";
        if (can.MaxMessageBytes is { } most && message.ApproximateBytes > most)
            return $"{transport} takes messages of at most {most} bytes; this has about {message.ApproximateBytes}";
        if (!can.SmtpUtf8 && from.NeedsSmtpUtf8)
            return $"{transport} cannot carry the sender's address (no SMTPUTF8)";
        if (content.Mime is not { } mime)
            return null;
        if (can.WholeMessages)
            return can.SmtpUtf8 || MimeRendering.HeaderIsAscii(mime.Span)
                ? null : $"{transport} cannot carry raw UTF-8 in a message's header (no SMTPUTF8)";
        if (TakenApart.Of(content, out var why) is not { } apart)
            return $"{transport} cannot carry {why}";
        content = apart;
        return null;
    }

    static RecipientOutcome Unfits(MessageRecipient recipient, OutcomeScope scope, string enhanced, string why) =>
        new(recipient.N, new Outcome(OutcomeKind.Unfit, scope, new Reply(0, enhanced, why)));
}
