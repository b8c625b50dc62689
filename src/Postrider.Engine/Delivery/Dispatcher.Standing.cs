namespace Postrider.Delivery;

/// <content>Several nodes: what a node does that the others have declared dead, until it has joined anew.</content>
public sealed partial class Dispatcher
{
    volatile bool _standsDown;
    Term _term;

    /// <summary>How attempts are told to end. Read once for each, when it begins.</summary>
    LaneStop Stop => Volatile.Read(ref _term).Stop;

    /// <summary>The leases are lost: nothing new begins, waits end, attempts that run are cut; what they came to is recorded, as
    /// evidence. True when nothing is under way any more; false when <paramref name="patience"/> was not enough.</summary>
    public async Task<bool> StandDownAsync(TimeSpan patience)
    {
        _standsDown = true;
        _open = false;
        using var over = new CancellationTokenSource(patience, _clock);
        await Volatile.Read(ref _term).EndAsync();
        try
        {
            while (InFlight > 0)
                await _left.WaitAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            return InFlight == 0;
        }
        _left.Release(); // for another who drains
        return true;
    }

    /// <summary>The node has joined anew: work is taken again. Only after <see cref="StandDownAsync"/> said that nothing is under
    /// way.</summary>
    public void Resume()
    {
        using var ended = Interlocked.Exchange(ref _term, new Term(_draining.Token, _now.Token));
        _standsDown = false;
        _open = _running && !_draining.IsCancellationRequested;
        PollSoon();
    }

    /// <summary>From one joining of the nodes to the next.</summary>
    sealed class Term : IDisposable
    {
        readonly CancellationTokenSource _draining;
        readonly CancellationTokenSource _now;

        public Term(CancellationToken draining, CancellationToken now)
        {
            _draining = CancellationTokenSource.CreateLinkedTokenSource(draining);
            _now = CancellationTokenSource.CreateLinkedTokenSource(now);
            Stop = new LaneStop(_draining.Token, _now.Token, now);
        }

        public LaneStop Stop { get; }

        public async Task EndAsync()
        {
            await _draining.CancelAsync();
            await _now.CancelAsync();
        }

        public void Dispose()
        {
            _draining.Dispose();
            _now.Dispose();
        }
    }
}
