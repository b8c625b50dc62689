using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Something that waits for a commit, and its waiter.</summary>
/// <param name="isBulk">Bulk work is bounded per transaction; everything else goes first.</param>
abstract class PendingWork(bool isBulk)
{
    public bool IsBulk { get; } = isBulk;

    /// <summary>The store's call that it is of; for fault tests.</summary>
    public string Call { get; init; } = "";

    /// <summary>Tells the waiter. Runs its continuation: never called on the thread that commits.</summary>
    public abstract void Finish();

    /// <summary>What <see cref="Finish"/> will throw at the waiter.</summary>
    public Exception? Failure { get; set; }
}

/// <summary>Work on an engine's transaction.</summary>
abstract class SessionWork<TSession>(bool isBulk) : PendingWork(isBulk)
{
    /// <summary>May run twice, when the first transaction was rolled back.</summary>
    public abstract void Execute(TSession session);
}

/// <summary>Work with a result, for one waiter.</summary>
class SessionWork<TSession, T>(Func<TSession, T> work, bool isBulk) : SessionWork<TSession>(isBulk)
{
    // Continuations run where Finish is called: on the pool, a few waiters after one another.
    readonly TaskCompletionSource<T> _done = new();
    T _result = default!;

    public Task<T> Done => _done.Task;

    public override void Execute(TSession session) => _result = work(session);

    public override void Finish()
    {
        if (Failure is { } failure)
            _done.SetException(failure);
        else
            _done.SetResult(_result);
    }
}

/// <summary>What an engine's error means for the batch it happened in.</summary>
enum FaultKind
{
    /// <summary>One piece of work cannot be done: it fails alone, after a replay one by one.</summary>
    Work,
    /// <summary>No room on the disk: as <see cref="Work"/>, after room was made.</summary>
    DiskFull,
    /// <summary>The storage cannot be trusted any more: everything fails, for good.</summary>
    Storage,
    /// <summary>The server is away: the batch fails as a whole and is not repeated; the next one may succeed.</summary>
    Away,
}

/// <summary>Commits what waits together. The running commit is the batching window: no timer, never a wait when idle.</summary>
/// <remarks>
/// One thread takes everything that waits, transactional work first, then at most 2 ms of bulk work (one piece at least, so that bulk never
/// starves), in one transaction with one fsync, and only then completes the waiters, on the thread pool. No savepoints: work cannot fail on
/// data, so an unexpected error rolls back and replays the batch one by one, and only what fails alone fails.
/// </remarks>
abstract class GroupCommit<TWork>(TimeProvider clock, StoreHealth health, StoreMetrics? metrics = null) where TWork : PendingWork
{
    static readonly TimeSpan BulkBudget = TimeSpan.FromMilliseconds(2);

    /// <summary>Waiters completed by one pool item, one after another: few items for a batch, yet more than one core answers
    /// callers.</summary>
    const int WaitersPerPoolItem = 32;

    readonly object _gate = new();

    // Guarded by _gate.
    List<TWork> _transactional = [];
    readonly Queue<TWork> _bulk = new();
    bool _stopping;

    // Loop only.
    List<TWork> _taken = [];
    List<TWork> _batch = [];
    bool _replaying;

    protected TimeProvider Clock => clock;

    /// <summary>Adds work; its waiter is completed after the commit. Throws when the store has failed or is closed.</summary>
    public void Enqueue(TWork work)
    {
        health.ThrowIfFailed();
        lock (_gate)
        {
            if (_stopping)
                throw new StoreUnavailableException("The store is closed: the process is stopping.") { IsForGood = true };
            if (work.IsBulk)
                _bulk.Enqueue(work);
            else
                _transactional.Add(work);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Lets the loop finish what waits, then end.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>The loop; returns after <see cref="Stop"/>. What it calls may throw anything: every error ends in a waiter or in the
    /// latch.</summary>
    protected void Run()
    {
        while (Take())
        {
            RunBatch();
            Complete();
            BetweenBatchesGuarded();
        }
    }

    protected abstract void Begin();
    protected abstract void Execute(TWork work);

    /// <summary>Durable when it returns.</summary>
    protected abstract void Commit();

    /// <summary>To be called by <see cref="Commit"/> when all work is executed and nothing is committed: where fault tests
    /// interfere.</summary>
    protected void Executed()
    {
        if (!TestSwitches.AcknowledgesEarly || _replaying)
        {
            KillPoint.Pass(_batch, "inside");
            return;
        }
        var executed = _batch.ToList();
        Complete();
        TestSwitches.HoldCommit();
        KillPoint.Pass(executed, "inside");
    }

    /// <summary>Ends a transaction that failed, if one is open.</summary>
    protected abstract void Rollback();

    /// <summary>Whether a transaction that began with bulk work at <paramref name="started"/> has enough of it.</summary>
    protected virtual bool HasEnoughBulk(long started) => clock.GetElapsedTime(started) >= BulkBudget;

    /// <summary>Called after a commit, before the next batch: the place for checkpoints.</summary>
    protected abstract void BetweenBatches();
    protected abstract FaultKind Judge(Exception error);

    /// <summary>Makes room, so that at least outcomes can be written.</summary>
    protected abstract void MakeRoom();

    /// <summary>What a waiter is told of an error of its own work.</summary>
    protected abstract Exception Translate(Exception error);

    bool Take()
    {
        lock (_gate)
        {
            while (_transactional.Count == 0 && _bulk.Count == 0)
            {
                if (_stopping)
                    return false;
                Monitor.Wait(_gate);
            }
            (_taken, _transactional) = (_transactional, _taken);
        }
        return true;
    }

    bool TakeBulk(out TWork work)
    {
        lock (_gate)
            return _bulk.TryDequeue(out work!);
    }

    void RunBatch()
    {
        if (health.Fault is { } fault)
        {
            FailAll(fault, mayHaveCommitted: false);
            return;
        }
        var committing = false;
        var measures = metrics is { Times: true };
        var began = measures ? clock.GetTimestamp() : 0;
        try
        {
            KillPoint.Pass(_taken, "before");
            Begin();
            ExecuteAll();
            committing = true;
            Commit();
            if (measures)
                metrics!.Committed(clock.GetElapsedTime(began), _batch.Count);
            KillPoint.Pass(_batch, "after");
        }
        catch (Exception e)
        {
            metrics?.Failed();
            Recover(e, committing);
        }
    }

    void ExecuteAll()
    {
        foreach (var work in _taken)
        {
            _batch.Add(work);
            Execute(work);
        }
        var started = clock.GetTimestamp();
        while (TakeBulk(out var work))
        {
            _batch.Add(work);
            Execute(work);
            if (HasEnoughBulk(started))
                break;
        }
    }

    void Recover(Exception error, bool committing)
    {
        // What was taken and not yet reached is part of the batch that failed.
        for (var i = _batch.Count; i < _taken.Count; i++)
            _batch.Add(_taken[i]);
        switch (Judge(error))
        {
            case FaultKind.Storage:
                health.Fail(error);
                FailAll(error, committing);
                return;
            case FaultKind.DiskFull:
                RollbackGuarded();
                MakeRoom();
                break;
            case FaultKind.Work:
                RollbackGuarded();
                break;
            case FaultKind.Away:
                RollbackGuarded();
                var away = Translate(error);
                foreach (var work in _batch)
                    work.Failure = away;
                return;
        }
        _replaying = true;
        var isAway = false;
        foreach (var work in _batch)
        {
            if (isAway)
                work.Failure = new StoreUnavailableException("The database is away: nothing was stored.");
            else
                isAway = !Replay(work);
        }
        _replaying = false;
    }

    /// <summary>False: the server is away by now. What is left is not tried: each would wait for a connection in turn, and all that comes
    /// in behind them.</summary>
    bool Replay(TWork work)
    {
        if (health.Fault is { } fault)
        {
            work.Failure = StoreHealth.Unavailable(fault, mayHaveCommitted: false);
            return true;
        }
        var committing = false;
        try
        {
            Begin();
            Execute(work);
            committing = true;
            Commit();
            return true;
        }
        catch (Exception e)
        {
            if (Judge(e) == FaultKind.Storage)
            {
                health.Fail(e);
                work.Failure = StoreHealth.Unavailable(e, committing);
                return true;
            }
            RollbackGuarded();
            work.Failure = Translate(e);
            return Judge(e) != FaultKind.Away;
        }
    }

    void FailAll(Exception fault, bool mayHaveCommitted)
    {
        if (_batch.Count == 0)
            _batch.AddRange(_taken);
        foreach (var work in _batch)
            work.Failure = StoreHealth.Unavailable(fault, mayHaveCommitted);
        while (TakeBulk(out var work))
        {
            work.Failure = StoreHealth.Unavailable(fault, mayHaveCommitted: false);
            _batch.Add(work);
        }
    }

    void Complete()
    {
        for (var start = 0; start < _batch.Count; start += WaitersPerPoolItem)
        {
            var some = _batch.GetRange(start, Math.Min(WaitersPerPoolItem, _batch.Count - start));
            ThreadPool.UnsafeQueueUserWorkItem(static finished =>
            {
                foreach (var work in finished)
                    work.Finish();
            }, some, preferLocal: false);
        }
        _taken.Clear();
        _batch.Clear();
    }

    void RollbackGuarded()
    {
        try
        {
            Rollback();
        }
        catch (Exception e)
        {
            // A transaction that can neither commit nor roll back leaves nothing to trust.
            health.Fail(e);
        }
    }

    void BetweenBatchesGuarded()
    {
        if (health.Fault is not null)
            return;
        try
        {
            BetweenBatches();
        }
        catch (Exception e)
        {
            if (Judge(e) == FaultKind.Storage)
                health.Fail(e);
            else if (Judge(e) == FaultKind.DiskFull)
                MakeRoom();
        }
    }
}
