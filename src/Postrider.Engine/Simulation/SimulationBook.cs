using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Simulation;

/// <summary>Writes down what becomes of every mail of a simulation. Thread-safe, for one that runs in real time.</summary>
sealed class SimulationBook(Scenario scenario, TimeProvider clock)
{
    readonly DateTimeOffset _start = clock.GetUtcNow();
    readonly TaskCompletionSource _allEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // All below is guarded by _lock.
    readonly Lock _lock = new();
    readonly Dictionary<MessageId, OpenMail> _open = [];
    readonly Dictionary<string, int> _deliveredBy = new(StringComparer.Ordinal);
    readonly Dictionary<RecipientState, int> _ends = [];
    readonly List<long> _delays = [];               // ms
    readonly List<Delivery> _deliveries = [];
    readonly List<QueuePoint> _depth = [];
    readonly List<CircuitEvent> _circuit = [];
    int _attempts;
    int _perhapsTwice;                              // mails, whatever became of them

    /// <summary>Every mail of the scenario came and ended.</summary>
    public async Task AllEndedAsync(CancellationToken ct)
    {
        await using var cancelled = ct.Register(() => _allEnded.TrySetCanceled(ct));
        await _allEnded.Task; // to be awaited by itself: combined with others it would go on wherever it was completed
    }

    public void Accepted(MessageId id)
    {
        lock (_lock)
        {
            _open.Add(id, new OpenMail(Now));
            _depth.Add(new QueuePoint(Now, _open.Count));
        }
    }

    public void Recorded(AttemptRecord record)
    {
        lock (_lock)
        {
            if (record.Attempt.Transport is not { } transport || !_open.TryGetValue(record.Lease.Message.Id, out var mail))
                return;
            _attempts++;
            mail.Last = transport;
            if (record.Attempt.Outcomes.Any(o => o.Outcome.Kind is OutcomeKind.Unknown or OutcomeKind.Accepted) && ++mail.PerhapsTaken == 2)
                _perhapsTwice++;
        }
    }

    public void Ended(RecipientId recipient, RecipientState state)
    {
        bool isLast;
        lock (_lock)
        {
            if (!_open.Remove(recipient.Message, out var mail))
                return;
            _ends[state] = _ends.GetValueOrDefault(state) + 1;
            if (state == RecipientState.Sent)
            {
                var by = mail.Last ?? "";
                _delays.Add(Now - mail.At);
                _deliveries.Add(new Delivery(Now, by));
                _deliveredBy[by] = _deliveredBy.GetValueOrDefault(by) + 1;
            }
            _depth.Add(new QueuePoint(Now, _open.Count));
            isLast = _ends.Values.Sum() == scenario.Mails;
        }
        if (isLast)
            _allEnded.TrySetResult();
    }

    public void Note(TransportChange change)
    {
        string? state = change.Kind switch
        {
            TransportChangeKind.CircuitOpened => "open",
            TransportChangeKind.CircuitHalfOpen => "half_open",
            TransportChangeKind.CircuitClosed => "closed",
            TransportChangeKind.Stalled => "stalled",
            TransportChangeKind.Recovered => "recovered",
            _ => null,
        };
        lock (_lock)
        {
            if (state is not null)
                _circuit.Add(new CircuitEvent(Now, change.Transport, state, change.Reason));
        }
    }

    public SimulationProgress Progress
    {
        get
        {
            lock (_lock)
                return new SimulationProgress(TimeSpan.FromMilliseconds(Now), scenario.Mails, Of(RecipientState.Sent),
                    _ends.Values.Sum() - Of(RecipientState.Sent), _open.Count, _attempts, new Dictionary<string, int>(_deliveredBy));
        }
    }

    /// <param name="outages">That were planned.</param>
    public SimulationResult Close(IReadOnlyList<Transport> transports, IReadOnlyList<VendorOutage> outages)
    {
        lock (_lock)
        {
            _delays.Sort();
            var delivered = Of(RecipientState.Sent);
            return new SimulationResult
            {
                Mails = scenario.Mails,
                Delivered = delivered,
                Expired = Of(RecipientState.Expired),
                Failed = _ends.Values.Sum() - delivered - Of(RecipientState.Expired),
                Ends = new SortedDictionary<RecipientState, int>(_ends),
                Tries = transports.Sum(t => t.GetStatus().Tries),
                PossibleDuplicates = _perhapsTwice,
                Delays = [.. _delays],
                Deliveries = [.. _deliveries],
                Vendors = [.. transports.Select(t => VendorOf(t.GetStatus(), delivered))],
                Circuit = [.. _circuit],
                Outages = outages,
                Depth = [.. _depth],
                Took = TimeSpan.FromMilliseconds(Now),
                Seed = scenario.Seed,
            };
        }
    }

    VendorResult VendorOf(TransportStatus status, int delivered)
    {
        var own = _deliveredBy.GetValueOrDefault(status.Name);
        return new VendorResult(status.Name, status.Tries, own, delivered == 0 ? 0 : (double)own / delivered,
            new SortedDictionary<OutcomeKind, long>(status.Outcomes.Where(o => o.Value > 0).ToDictionary(o => o.Key, o => o.Value)));
    }

    /// <summary>Milliseconds since the start.</summary>
    long Now => (long)(clock.GetUtcNow() - _start).TotalMilliseconds;

    int Of(RecipientState state) => _ends.GetValueOrDefault(state);

    /// <summary>A mail that has not ended.</summary>
    sealed class OpenMail(long at)
    {
        public long At { get; } = at;
        public string? Last { get; set; }

        /// <summary>Attempts that a provider took, or may have taken.</summary>
        public int PerhapsTaken { get; set; }
    }
}
