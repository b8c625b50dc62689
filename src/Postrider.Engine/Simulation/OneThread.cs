namespace Postrider.Simulation;

/// <summary>Runs everything of a simulation on one thread, in the order in which it became ready; time goes on when nothing is ready. So
/// the same beginning comes to the same end.</summary>
/// <remarks>What leaves the thread (the pool, <c>ConfigureAwait(false)</c>) would come back in an order that nobody chose: coming back is
/// refused until the end.</remarks>
sealed class OneThread(VirtualClock clock) : SynchronizationContext
{
    /// <summary>Real time that the end waits for other threads before virtual time may go on.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    readonly Queue<(SendOrPostCallback Work, object? State)> _ready = new();    // guarded by itself
    int _thread;
    bool _isEnding;         // the books are closed: from now on order does not matter
    volatile bool _strayed;

    /// <summary>What is left to do changes no result: it may be done by any thread.</summary>
    public void End() => _isEnding = true;

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_ready)
        {
            _strayed |= Environment.CurrentManagedThreadId != _thread && !_isEnding;
            _ready.Enqueue((d, state));
            Monitor.Pulse(_ready);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();
    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Runs until the work is done. Throws what it throws.</summary>
    public T Run<T>(Func<Task<T>> work, CancellationToken ct)
    {
        var before = Current;
        SetSynchronizationContext(this);
        _thread = Environment.CurrentManagedThreadId;
        try
        {
            var running = work();
            while (!running.IsCompleted)
            {
                ct.ThrowIfCancellationRequested();
                if (TryTake(wait: _isEnding, out var next))
                    next.Work(next.State);
                else if (!clock.TryStep() && !_isEnding)
                    throw new InvalidOperationException("The simulation stands still: nothing is ready, and no timer is set.");
                if (!_strayed)
                    continue;
                ct.ThrowIfCancellationRequested(); // an interruption comes from another thread, and ends all order
                throw new InvalidOperationException("Something of the simulation ran on another thread: its order is chance.");
            }
            return running.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    bool TryTake(bool wait, out (SendOrPostCallback Work, object? State) next)
    {
        lock (_ready)
        {
            if (_ready.Count == 0 && wait)
                Monitor.Wait(_ready, Patience);
            return _ready.TryDequeue(out next);
        }
    }
}
