using Postrider.Messages;

namespace Postrider.Providers.Http;

/// <summary>How much goes in one call to a vendor, and how many calls at once.</summary>
/// <param name="Entries">Messages (or personalizations) in one call.</param>
/// <param name="Recipients">Recipients in one call.</param>
/// <param name="Bytes">About the size of one call.</param>
readonly record struct CallLimits(int Entries, int Recipients, long Bytes)
{
    /// <summary>Every recipient of a call whose answer is lost is a possible duplicate, so a call is kept smaller than vendors
    /// allow.</summary>
    public const int DefaultRecipients = 100;

    /// <summary>Calls in flight for entries that could share one.</summary>
    public int Calls { get; init; } = 4;
}

/// <summary>An envelope made ready for a call.</summary>
abstract class CallEntry(OutgoingEnvelope envelope)
{
    public OutgoingEnvelope Envelope { get; } = envelope;

    /// <summary>Entries with equal keys may share a call.</summary>
    public abstract object Key { get; }

    /// <summary>About what it adds to the call.</summary>
    public abstract long Bytes { get; }
}

/// <summary>Sends through a vendor that takes several messages in one call: what arrives while its calls are under way goes together in the
/// next.</summary>
/// <remarks>
/// No timer: the running calls are the window, so a lone message leaves at once. Every envelope gets the outcomes of its own recipients,
/// also when the vendor takes only part of a call; and when it refuses a whole call for the sake of one entry, the innocent are sent again
/// without it.
/// Under <c>hold</c> an envelope is always alone in its call, because its commit point is its own.
/// </remarks>
abstract class CoalescingProvider<TEntry>(CallLimits limits, TimeProvider clock) : IProvider where TEntry : CallEntry
{
    /// <summary>Who has waited so long for a call to end goes elsewhere: nothing was sent, and the calls under way seem to hang.</summary>
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    readonly Lock _lock = new();
    readonly Dictionary<object, Line> _lines = []; // guarded by _lock; a line lives as long as it has calls under way

    public abstract ProviderCapabilities Capabilities { get; }

    protected TimeProvider Clock => clock;

    /// <summary>Makes an envelope ready. It fits <see cref="Capabilities"/>.</summary>
    protected abstract TEntry Prepare(OutgoingEnvelope envelope);

    /// <summary>One call. For each entry the outcomes of its recipients, in order; or null where the vendor took nothing for another
    /// entry's sake.</summary>
    /// <remarks>Null for all of them when the vendor does not say which is to blame. A lone entry always has outcomes.</remarks>
    protected abstract ValueTask<IReadOnlyList<IReadOnlyList<Outcome>?>> CallAsync(
        IReadOnlyList<TEntry> entries, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct);

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        if (Capabilities.WhyUnfit(envelope.Content) is { } why)
            return Outcomes.Unfit(envelope, why);
        var entry = Prepare(envelope);
        if (envelope.CommitPoint is not null)
            return await AloneAsync(entry, ct);

        var waiter = new Waiter(entry, ct);
        Line line;
        lock (_lock)
        {
            if (!_lines.TryGetValue(entry.Key, out line!))
                _lines.Add(entry.Key, line = new Line());
            if (line.Calls < limits.Calls)
                line.Calls++;
            else
            {
                line.Waiting.AddLast(waiter.Place);
                line = null!;
            }
        }
        if (line is null)
            return await WaitAsync(waiter);
        _ = PumpAsync(entry.Key, [waiter]);
        return await waiter.Result.Task;
    }

    public virtual ValueTask<ProviderLook?> LookAsync(CancellationToken ct) => ValueTask.FromResult<ProviderLook?>(null);

    public abstract ValueTask DisposeAsync();

    async ValueTask<IReadOnlyList<Outcome>> AloneAsync(TEntry entry, CancellationToken ct)
    {
        // One commit point for the attempt, also when it takes several calls.
        var isCommitted = false;
        return (await CallAsync([entry], CommitAsync, ct))[0]
            ?? throw new InvalidOperationException("A lone entry was answered with no outcome.");

        async ValueTask<bool> CommitAsync(CancellationToken inCall) =>
            isCommitted = isCommitted || await entry.Envelope.CommitPoint!(inCall);
    }

    /// <summary>Until a call takes it along, or it gives up waiting, which leaves it unsent.</summary>
    async ValueTask<IReadOnlyList<Outcome>> WaitAsync(Waiter waiter)
    {
        using var patience = new CancellationTokenSource(LongestWait, clock);
        using var givenUp = waiter.Ct.UnsafeRegister(_ => GiveUp("given up before it was sent"), null);
        using var tooLong = patience.Token.UnsafeRegister(
            _ => GiveUp($"all calls under way are unanswered for {LongestWait.TotalSeconds:0} s"), null);
        return await waiter.Result.Task;

        void GiveUp(string words)
        {
            lock (_lock)
            {
                if (waiter.Place.List is not { } waiting)
                    return; // a call has it
                waiting.Remove(waiter.Place);
            }
            waiter.Result.TrySetResult(Outcomes.ForAll(
                waiter.Entry.Envelope, new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport, new Reply(0, null, words))));
        }
    }

    /// <summary>Calls, and goes on calling while there is somebody waiting.</summary>
    async Task PumpAsync(object key, List<Waiter> batch)
    {
        while (batch.Count > 0)
        {
            try
            {
                await RunAsync(batch);
            }
            catch (Exception fault)
            {
                // A bug of ours: each attempt hears of it (the lane takes it for unknown), and the line goes on.
                foreach (var waiter in batch)
                    waiter.Result.TrySetException(fault);
            }
            lock (_lock)
                batch = Next_NeedsLock(key);
        }
    }

    /// <summary>Those who go in the next call, in the order they came; nobody when none waits, and then this call ends.</summary>
    List<Waiter> Next_NeedsLock(object key)
    {
        var line = _lines[key];
        var batch = new List<Waiter>();
        var (recipients, bytes) = (0, 0L);
        while (line.Waiting.First is { Value: var next })
        {
            recipients += next.Entry.Envelope.Recipients.Count;
            bytes += next.Entry.Bytes;
            if (batch.Count > 0 && (batch.Count >= limits.Entries || recipients > limits.Recipients || bytes > limits.Bytes))
                break;
            line.Waiting.RemoveFirst();
            batch.Add(next);
        }
        if (batch.Count == 0 && --line.Calls == 0)
            _lines.Remove(key);
        return batch;
    }

    async Task RunAsync(List<Waiter> batch)
    {
        // A call is cut once all that are in it have given up.
        using var cut = new CancellationTokenSource();
        var left = batch.Count;
        var registrations = batch.ConvertAll(waiter => waiter.Ct.UnsafeRegister(_ =>
        {
            if (Interlocked.Decrement(ref left) == 0)
                cut.Cancel();
        }, null));
        try
        {
            var work = new Stack<List<Waiter>>([batch]);
            while (work.TryPop(out var some))
            {
                // Where one of them may not be sent, the call may not; those that may have had no answer by that, and go without it.
                List<bool> may = [];
                var results = await CallAsync(some.ConvertAll(waiter => waiter.Entry), _ =>
                {
                    may = some.ConvertAll(waiter => waiter.Entry.Envelope.MaySend?.Invoke() ?? true);
                    return ValueTask.FromResult(!may.Contains(false));
                }, cut.Token);
                var again = new List<Waiter>();
                for (var i = 0; i < some.Count; i++)
                {
                    if (results[i] is { } outcomes && !(may.Contains(false) && may[i] && outcomes.All(Outcomes.IsWithdrawn)))
                        some[i].Result.TrySetResult(outcomes);
                    else
                        again.Add(some[i]);
                }
                if (again.Count == some.Count)
                {
                    if (again.Count == 1)
                        throw new InvalidOperationException("A lone entry was answered with no outcome.");
                    work.Push(again.GetRange(again.Count / 2, again.Count - again.Count / 2));
                    work.Push(again.GetRange(0, again.Count / 2));
                }
                else if (again.Count > 0)
                    work.Push(again);
            }
        }
        finally
        {
            foreach (var registration in registrations)
                await registration.DisposeAsync();
        }
    }

    /// <summary>Entries that may share calls.</summary>
    sealed class Line
    {
        public int Calls { get; set; }
        public LinkedList<Waiter> Waiting { get; } = new();
    }

    /// <summary>An entry and who waits for its outcomes.</summary>
    sealed class Waiter
    {
        public Waiter(TEntry entry, CancellationToken ct)
        {
            (Entry, Ct) = (entry, ct);
            Place = new LinkedListNode<Waiter>(this);
        }

        public TEntry Entry { get; }
        public CancellationToken Ct { get; }
        public LinkedListNode<Waiter> Place { get; }
        public TaskCompletionSource<IReadOnlyList<Outcome>> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>Lists of outcomes, one for each recipient of an envelope.</summary>
static class Outcomes
{
    /// <summary>Withdrawn by ourselves: the one outcome of which no circuit is told.</summary>
    public static bool IsWithdrawn(Outcome outcome) => outcome is { Kind: OutcomeKind.Unfit, Scope: OutcomeScope.Recipient };

    public static Outcome[] ForAll(OutgoingEnvelope envelope, Outcome outcome)
    {
        var all = new Outcome[envelope.Recipients.Count];
        Array.Fill(all, outcome);
        return all;
    }

    /// <param name="why">As <see cref="ProviderCapabilities.WhyUnfit"/> says it.</param>
    public static Outcome[] Unfit(OutgoingEnvelope envelope, string why) =>
        ForAll(envelope, new Outcome(OutcomeKind.Unfit, OutcomeScope.Message, new Reply(0, null, $"cannot carry {why}")));
}
