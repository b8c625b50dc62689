using Postrider.Messages;

namespace Postrider.Routing;

/// <content>What the results of tries teach it: circuit, waits, refused sender domains, last errors.</content>
public sealed partial class Transport
{
    const int KeptErrors = 5;

    /// <summary>More sender domains than this refused by one transport is not about domains.</summary>
    const int MostRefusedDomains = 10_000;

    /// <summary>After that a refused sender domain is tried again: somebody may have verified it.</summary>
    static readonly TimeSpan SenderDomainRefusedFor = TimeSpan.FromHours(1);

    /// <summary>A content is on its way, piece by piece: from the last one on the server has its time to answer. What has stalled stays so
    /// until something completes.</summary>
    internal void Moved()
    {
        lock (_lock)
        {
            var now = Now;
            if (_unansweredSince is not null && !IsStalled_NeedsLock(now))
                _unansweredSince = now;
        }
    }

    internal void Report(Permit permit, IReadOnlyList<Outcome> outcomes)
    {
        bool changed;
        lock (_lock)
        {
            if (!permit.Trying)
                throw new InvalidOperationException("A try is charged before it is reported.");
            var now = Now;
            var wasStalled = IsStalled_NeedsLock(now);
            Complete_NeedsLock(permit);
            _times.Add(now - permit.TriedAt);
            var was = _known;
            _known = !outcomes.All(outcome => outcome.Kind == OutcomeKind.Unknown);
            var evidence = CircuitEvidence.None;
            for (var i = 0; i < outcomes.Count; i++)
            {
                var of = Learn_NeedsLock(outcomes[i], permit.SenderDomain, permit.RecipientDomains is { } domains && i < domains.Count
                    ? domains[i] : null, now);
                evidence = of > evidence ? of : evidence;
            }
            if (Options.Circuit is { } options)
                ReportToCircuit_NeedsLock(permit, options, evidence, wasStalled, now);
            if (_stallTold)
            {
                _stallTold = false;
                Note_NeedsLock(new TransportChange(Key, TransportChangeKind.Recovered, _clock.GetUtcNow(), "an attempt completed"));
            }
            changed = _changes.Count > 0 || (_known && !was);
        }
        Tell(capacity: changed);
    }

    CircuitEvidence Learn_NeedsLock(Outcome outcome, string? senderDomain, string? recipientDomain, TimeSpan now)
    {
        _outcomes[(int)outcome.Kind]++;
        var evidence = EvidenceOf(outcome);
        // Behind a relay for all domains, 421 to RCPT speaks for one of them (RFC 5321 §3.8).
        var ofDomain = recipientDomain is not null && outcome is { Kind: OutcomeKind.Deferred or OutcomeKind.Throttled, Reply.Code: 421 }
            && _domains?.BackOff(recipientDomain, now, outcome.RetryAfter) == true;
        if (outcome.Kind == OutcomeKind.Accepted)
        {
            _limiter = Gcra.Answered(_limiter);
            if (recipientDomain is not null)
                _domains?.Accepted(recipientDomain);
        }
        else if (outcome.Kind == OutcomeKind.Throttled && !ofDomain)
        {
            var known = _limiter.NotBefore;
            _limiter = Gcra.Throttle(_limiter, now, outcome.RetryAfter);
            if (_limiter.NotBefore > known + WorthTelling)
                Share_NeedsLock(SharedChangeKind.Throttle, _limiter.NotBefore - now);
        }
        if (outcome is { Kind: OutcomeKind.Refused, Scope: OutcomeScope.SenderDomain } && senderDomain is not null)
            RefuseDomain_NeedsLock(senderDomain, outcome.Reply, now);
        if (outcome.Kind is OutcomeKind.Refused or OutcomeKind.Throttled or OutcomeKind.Unreachable or OutcomeKind.Unknown)
        {
            if (_errors.Count == KeptErrors)
                _errors.Dequeue();
            _errors.Enqueue(new TransportError(_clock.GetUtcNow(), outcome.Kind, outcome.Scope, outcome.Reply));
        }
        return evidence;
    }

    static CircuitEvidence EvidenceOf(Outcome outcome) => outcome.Kind switch
    {
        OutcomeKind.Accepted or OutcomeKind.Deferred or OutcomeKind.Rejected => CircuitEvidence.Answered,
        OutcomeKind.Refused => outcome.Scope == OutcomeScope.Transport ? CircuitEvidence.AccountRefused : CircuitEvidence.Answered,
        OutcomeKind.Unfit => CircuitEvidence.None,
        OutcomeKind.Throttled => CircuitEvidence.Throttled,
        OutcomeKind.Unreachable or OutcomeKind.Unknown => CircuitEvidence.Failure,
    };

    void RefuseDomain_NeedsLock(string domain, Reply reply, TimeSpan now)
    {
        if (_refusedDomains.Count >= MostRefusedDomains)
            foreach (var entry in _refusedDomains.Where(entry => entry.Value <= now).ToList())
                _refusedDomains.Remove(entry.Key);
        if (_refusedDomains.Count >= MostRefusedDomains)
            return;
        _refusedDomains[domain] = now + SenderDomainRefusedFor;
        Share_NeedsLock(SharedChangeKind.RefuseDomain, SenderDomainRefusedFor, text: domain);
        Note_NeedsLock(new TransportChange(Key, TransportChangeKind.SenderDomainRefused, _clock.GetUtcNow(), $"{domain}: {reply.Text}",
            Wall(now + SenderDomainRefusedFor, now)));
    }

    void ReportToCircuit_NeedsLock(Permit permit, CircuitOptions options, CircuitEvidence evidence, bool wasStalled, TimeSpan now)
    {
        var probe = ReferenceEquals(_probe, permit);
        if (probe)
            _probe = null;
        Apply_NeedsLock(Circuit.Report(_circuit, options, now, evidence, probe));
        // What waited for so long failed in the end: one probe finds out, instead of all slots hanging again.
        if (wasStalled && evidence == CircuitEvidence.Failure)
            Apply_NeedsLock(Circuit.Trip(_circuit, options, now, "it did not answer"));
    }
}
