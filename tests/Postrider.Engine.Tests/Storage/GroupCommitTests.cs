using Postrider.Messages;
using Postrider.Storage;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The batching, on an engine that writes down what it is told and fails when it is told to.</summary>
public sealed class GroupCommitTests : IDisposable
{
    readonly ManualClock _clock = new();
    readonly StoreHealth _health = new();
    readonly ScriptedEngine _engine;

    public GroupCommitTests() => _engine = new ScriptedEngine(_clock, _health);

    public void Dispose()
    {
        _engine.Dispose();
        _health.Dispose();
    }

    [Fact]
    public async Task What_waits_is_committed_together_transactional_first()
    {
        var first = _engine.Hold();
        Task[] waiting = [_engine.Add("bulk 1", bulk: true), _engine.Add("a"), _engine.Add("bulk 2", bulk: true), _engine.Add("b")];
        first.Release();
        await Task.WhenAll(waiting);

        Assert.Equal(["hold", "a,b,bulk 1,bulk 2"], _engine.Commits);
    }

    [Fact]
    public async Task Bulk_work_is_bounded_by_time_and_goes_on_in_the_next_transaction()
    {
        var first = _engine.Hold();
        _engine.EachTakes = TimeSpan.FromMilliseconds(0.9);
        var waiting = Enumerable.Range(1, 5).Select(i => _engine.Add($"bulk {i}", bulk: true)).Append(_engine.Add("a")).ToList();
        first.Release();
        await Task.WhenAll(waiting);

        Assert.Equal(["hold", "a,bulk 1,bulk 2,bulk 3", "bulk 4,bulk 5"], _engine.Commits);
    }

    [Fact]
    public async Task A_piece_of_bulk_work_that_takes_longer_than_the_bound_is_alone()
    {
        var first = _engine.Hold();
        _engine.EachTakes = TimeSpan.FromMilliseconds(10);
        var waiting = new[] { _engine.Add("bulk 1", bulk: true), _engine.Add("bulk 2", bulk: true) };
        first.Release();
        await Task.WhenAll(waiting);

        Assert.Equal(["hold", "bulk 1", "bulk 2"], _engine.Commits);
    }

    [Fact]
    public async Task Only_what_fails_alone_fails()
    {
        var first = _engine.Hold();
        var good = new[] { _engine.Add("a"), _engine.Add("b"), _engine.Add("bulk", bulk: true) };
        var bad = _engine.Add("bad");
        first.Release();
        await Task.WhenAll(good);

        Assert.Equal("bad cannot be done", (await Assert.ThrowsAsync<InvalidOperationException>(() => bad)).Message);
        Assert.Equal(["hold", "a", "b", "bulk"], _engine.Commits);
        Assert.Null(_health.Fault);
    }

    [Fact]
    public async Task Where_the_server_goes_away_while_each_is_tried_alone_the_rest_is_not_tried()
    {
        var first = _engine.Hold();
        Task[] waiting = [_engine.Add("a"), _engine.Add("bad"), _engine.Add("server goes"), _engine.Add("b"), _engine.Add("c")];
        first.Release();
        await waiting[0];

        await Assert.ThrowsAsync<InvalidOperationException>(() => waiting[1]);
        await Assert.ThrowsAsync<ServerGone>(() => waiting[2]);
        foreach (var rest in waiting[3..])
            Assert.False((await Assert.ThrowsAsync<StoreUnavailableException>(() => rest)).MayHaveCommitted);
        Assert.Equal(["hold", "a"], _engine.Commits);
        Assert.Null(_health.Fault);
    }

    [Fact]
    public async Task A_full_disk_makes_room_and_tries_each_once_more()
    {
        var first = _engine.Hold();
        var waiting = new[] { _engine.Add("a"), _engine.Add("needs room"), _engine.Add("b") };
        first.Release();
        await Task.WhenAll(waiting);

        Assert.Equal(["hold", "a", "needs room", "b"], _engine.Commits);
        Assert.True(_engine.MadeRoom);
    }

    [Fact]
    public async Task A_storage_fault_fails_everything_for_good()
    {
        var first = _engine.Hold();
        var batch = new[] { _engine.Add("a"), _engine.Add("disk dies"), _engine.Add("b") };
        var failed = new TaskCompletionSource();
        using var watching = _health.Failed.Register(failed.SetResult);
        first.Release();

        foreach (var waiter in batch)
            Assert.False((await Assert.ThrowsAsync<StoreUnavailableException>(() => waiter)).MayHaveCommitted);
        await failed.Task;
        Assert.Equal("the disk died", _health.Fault!.Message);
        Assert.Throws<StoreUnavailableException>(() => { _ = _engine.Add("later"); });
        Assert.Equal(["hold"], _engine.Commits);
    }

    [Fact]
    public async Task A_commit_that_fails_may_have_happened_and_is_never_repeated()
    {
        _engine.CommitFails = true;

        Assert.True((await Assert.ThrowsAsync<StoreUnavailableException>(() => _engine.Add("a"))).MayHaveCommitted);
        Assert.Equal(1, _engine.CommitsTried);
    }

    [Fact]
    public async Task A_transaction_that_cannot_be_rolled_back_closes_the_store()
    {
        _engine.RollbackFails = true;

        await Assert.ThrowsAsync<StoreUnavailableException>(() => _engine.Add("bad"));
        Assert.NotNull(_health.Fault);
    }

    [Fact]
    public async Task Waiters_go_on_off_the_thread_that_commits()
    {
        var threads = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            await _engine.Add($"{i}").ConfigureAwait(false);
            return Environment.CurrentManagedThreadId;
        }));

        Assert.DoesNotContain(_engine.ThreadId, threads);
    }

    [Fact]
    public async Task What_waits_at_the_end_is_finished_and_nothing_is_taken_after_it()
    {
        var first = _engine.Hold();
        var waiting = new[] { _engine.Add("a"), _engine.Add("bulk", bulk: true) };
        _engine.Stop();
        Assert.Throws<StoreUnavailableException>(() => { _ = _engine.Add("late"); });
        first.Release();

        await Task.WhenAll(waiting);
        Assert.Equal(["hold", "a,bulk"], _engine.Commits);
    }

    [Fact]
    public async Task An_error_between_batches_that_is_no_storage_fault_stops_nothing()
    {
        _engine.BetweenFails = true;
        await _engine.Add("a");
        await _engine.Add("b");

        Assert.Equal(["a", "b"], _engine.Commits);
    }

    sealed class ScriptedWork(string name, bool bulk) : PendingWork(bulk)
    {
        readonly TaskCompletionSource _done = new();
        public string Name => name;
        public Task Done => _done.Task;

        public override void Finish()
        {
            if (Failure is { } failure)
                _done.SetException(failure);
            else
                _done.SetResult();
        }
    }

    sealed class DiskDied() : Exception("the disk died");

    sealed class NoRoom : Exception;

    sealed class ServerGone : Exception;

    sealed class Held(ManualResetEventSlim gate)
    {
        public void Release() => gate.Set();
    }

    sealed class ScriptedEngine : GroupCommit<ScriptedWork>, IDisposable
    {
        readonly ManualClock _clock;
        readonly Thread _thread;
        readonly List<string> _open = [];
        readonly ManualResetEventSlim _gate = new();
        readonly ManualResetEventSlim _inside = new();

        public ScriptedEngine(ManualClock clock, StoreHealth health) : base(clock, health)
        {
            _clock = clock;
            _thread = new Thread(Run) { IsBackground = true };
            _thread.Start();
        }

        public int ThreadId => _thread.ManagedThreadId;
        public List<string> Commits { get; } = [];
        public TimeSpan EachTakes { get; set; }
        public bool MadeRoom { get; private set; }
        public bool CommitFails { get; set; }
        public bool RollbackFails { get; set; }
        public bool BetweenFails { get; set; }
        public int CommitsTried { get; private set; }

        public Task Add(string name, bool bulk = false)
        {
            var work = new ScriptedWork(name, bulk);
            Enqueue(work);
            return work.Done;
        }

        /// <summary>Keeps the loop inside a commit, so that more can gather behind it.</summary>
        public Held Hold()
        {
            _ = Add("hold");
            _inside.Wait(TimeSpan.FromSeconds(30));
            return new Held(_gate);
        }

        protected override void Begin() => _open.Clear();

        protected override void Execute(ScriptedWork work)
        {
            _clock.Advance(EachTakes);
            switch (work.Name)
            {
                case "bad": throw new InvalidOperationException("bad cannot be done");
                case "disk dies": throw new DiskDied();
                case "server goes": throw new ServerGone();
                case "needs room" when !MadeRoom: throw new NoRoom();
                default: _open.Add(work.Name); break;
            }
        }

        protected override void Commit()
        {
            CommitsTried++;
            if (_open is ["hold"])
            {
                _inside.Set();
                _gate.Wait(TimeSpan.FromSeconds(30));
            }
            if (CommitFails)
                throw new DiskDied();
            Commits.Add(string.Join(',', _open));
        }

        protected override void Rollback()
        {
            if (RollbackFails)
                throw new InvalidOperationException("no rollback");
        }

        protected override void BetweenBatches()
        {
            if (BetweenFails)
                throw new InvalidOperationException("between");
        }

        protected override FaultKind Judge(Exception error) => error switch
        {
            DiskDied => FaultKind.Storage,
            NoRoom => FaultKind.DiskFull,
            ServerGone => FaultKind.Away,
            _ => FaultKind.Work,
        };

        protected override void MakeRoom() => MadeRoom = true;
        protected override Exception Translate(Exception error) => error;

        public void Dispose()
        {
            Stop();
            _thread.Join();
            _gate.Dispose();
            _inside.Dispose();
        }
    }
}
