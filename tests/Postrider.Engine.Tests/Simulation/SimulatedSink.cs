using Postrider.Messages;
using Postrider.Queue;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What the providers really took, whatever anybody records of it: the oracle beside the store.</summary>
sealed class SimulatedSink(Setting setting)
{
    readonly Dictionary<(RecipientId Recipient, int Generation), List<UnderWay>> _taken = [];
    readonly HashSet<(RecipientId Recipient, int Generation, string Transport)> _known = [];   // to providers that recognise repetitions
    int _nextId;

    /// <summary>Providers accept from here on, or refuse for good: nothing is left in the dark.</summary>
    public bool IsCalm { get; set; }

    /// <summary>Transports of which everybody knows that they do not work.</summary>
    public HashSet<string> Out { get; } = [];

    public IReadOnlyList<UnderWay> TakenBy(RecipientId recipient, int generation) =>
        _taken.TryGetValue((recipient, generation), out var taken) ? taken : [];

    public bool HasTaken(RecipientId recipient) => _taken.Keys.Any(k => k.Recipient == recipient);

    /// <summary>Those that were taken, in the order in which they were.</summary>
    public IEnumerable<(RecipientId Recipient, UnderWay By)> All => _taken.SelectMany(t => t.Value.Select(by => (t.Key.Recipient, by)));

    /// <summary>One provider's answer to an attempt. Some recipients may be left without one, as where a call is full.</summary>
    public List<RecipientOutcome> Ask(UnderWay attempt, Dice dice)
    {
        var transport = setting.Transports.First(t => t.Name == attempt.Transport);
        var outcomes = new List<RecipientOutcome>();
        var open = attempt.Lease.Recipients.Where(r => !attempt.Lease.Suppressed.ContainsKey(r.N)).ToList();
        // What is said at the dot is said of all; what is said of a recipient is of that one.
        var (common, isTaken) = Draw(dice);
        var together = dice.OneIn(2);
        foreach (var recipient in open)
        {
            if (outcomes.Count > 0 && !IsCalm && dice.OneIn(12))
                continue;
            var id = new RecipientId(attempt.Lease.Message.Id, recipient.N);
            var key = (id, attempt.Lease.Message.Generation, transport.Name);
            var (kind, taken) = together ? (common, isTaken) : Draw(dice);
            if (_known.Contains(key))
            {
                // A repetition that is recognised and answered; or that got no answer of its own.
                outcomes.Add(new RecipientOutcome(recipient.N, Of(kind is OutcomeKind.Unknown or OutcomeKind.Unreachable
                    ? kind : OutcomeKind.Accepted, dice)));
                continue;
            }
            if (taken)
                Take(id, attempt, transport, key);
            outcomes.Add(new RecipientOutcome(recipient.N, Of(kind, dice)));
        }
        return outcomes;
    }

    void Take(RecipientId id, UnderWay attempt, SettingTransport transport, (RecipientId, int, string) key)
    {
        if (!_taken.TryGetValue((id, attempt.Lease.Message.Generation), out var taken))
            _taken[(id, attempt.Lease.Message.Generation)] = taken = [];
        taken.Add(attempt);
        if (transport.Idempotent)
            _known.Add(key);
    }

    (OutcomeKind Kind, bool IsTaken) Draw(Dice dice)
    {
        if (IsCalm)
            return dice.OneIn(6) ? (OutcomeKind.Rejected, false) : (OutcomeKind.Accepted, true);
        if (dice.Next(16) >= setting.Trouble)
            return (OutcomeKind.Accepted, true);
        var kind = dice.Pick(OutcomeKind.Unknown, OutcomeKind.Unknown, OutcomeKind.Deferred, OutcomeKind.Rejected, OutcomeKind.Unfit,
            OutcomeKind.Refused, OutcomeKind.Throttled, OutcomeKind.Unreachable, OutcomeKind.Unreachable);
        return (kind, kind == OutcomeKind.Unknown && dice.OneIn(2));
    }

    Outcome Of(OutcomeKind kind, Dice dice) => kind switch
    {
        OutcomeKind.Accepted => new(kind, OutcomeScope.Recipient, new Reply(250, "2.0.0", "taken", "DATA"), ProviderId: $"p{_nextId++}"),
        OutcomeKind.Deferred => new(kind, OutcomeScope.Recipient, new Reply(450, "4.2.0", "later", "RCPT"),
            dice.OneIn(3) ? TimeSpan.FromSeconds(1 + dice.Next(120)) : null),
        OutcomeKind.Rejected => dice.Next(4) switch
        {
            0 => new(kind, OutcomeScope.Message, new Reply(554, "5.7.1", "spam", "DATA")),
            1 => new(kind, OutcomeScope.SenderDomain, new Reply(550, "5.7.1", "not you", "MAIL")),
            _ => new(kind, OutcomeScope.Recipient, new Reply(550, "5.1.1", "nobody", "RCPT")),
        },
        OutcomeKind.Unfit => new(kind, OutcomeScope.Message, new Reply(0, "5.3.4", "too large")),
        OutcomeKind.Refused => new(kind, OutcomeScope.Transport, new Reply(535, "5.7.8", "who are you", "AUTH")),
        OutcomeKind.Throttled => new(kind, OutcomeScope.Transport, new Reply(421, "4.7.0", "slower", "MAIL"),
            dice.OneIn(2) ? TimeSpan.FromSeconds(1 + dice.Next(90)) : null),
        OutcomeKind.Unreachable => new(kind, OutcomeScope.Transport, new Reply(0, null, "connection refused", "CONNECT")),
        OutcomeKind.Unknown => new(kind, OutcomeScope.Recipient, new Reply(0, null, "no answer", ".")),
    };
}
