using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Engine.Tests.Storage;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Nodes;

public sealed class NoticesTests
{
    readonly ManualClock _clock = new();
    readonly Dictionary<Topic, long> _versions = [];
    readonly List<Topic> _looked = [];

    [Fact]
    public async Task Who_subscribes_looks_once_at_the_start_and_then_after_each_change()
    {
        using var notices = Subscribed();
        await notices.LookAsync(default);
        await notices.LookAsync(default);
        Assert.Equal([Topic.Pauses, Topic.Keys], _looked);

        _versions[Topic.Keys] = 7;
        await notices.LookAsync(default);
        await notices.LookAsync(default);
        Assert.Equal([Topic.Pauses, Topic.Keys, Topic.Keys], _looked);
    }

    [Fact]
    public async Task A_look_that_failed_for_want_of_the_store_is_made_again()
    {
        var away = true;
        using var notices = new Notices(_ => Task.FromResult<IReadOnlyDictionary<Topic, long>>(_versions), _clock, NullLogger.Instance);
        notices.Subscribe(Topic.Pauses, _ => away ? throw new StoreUnavailableException("away") : Look(Topic.Pauses));
        await notices.LookAsync(default);
        Assert.Empty(_looked);

        away = false;
        await notices.LookAsync(default);
        Assert.Equal([Topic.Pauses], _looked);
    }

    [Fact]
    public async Task Every_half_second_it_looks_without_being_told()
    {
        using var stop = new CancellationTokenSource();
        using var notices = Subscribed();
        var running = notices.RunAsync(stop.Token);
        await Eventually.HoldsAsync(() => _looked.Count == 2);
        _versions[Topic.Pauses] = 1;
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        await Eventually.HoldsAsync(() => _looked.Count == 3);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task On_SQLite_a_change_is_told_in_the_process()
    {
        await using var under = new SqliteUnderTest(_clock);
        under.Sqlite.Notices.Subscribe(Topic.Pauses, _ => Look(Topic.Pauses));
        await under.Sqlite.Notices.LookAsync(default);
        await under.Sqlite.ChangeAsync(Topic.Pauses, connection => connection.Execute("DELETE FROM pauses"));
        await under.Sqlite.Notices.LookAsync(default);
        Assert.Equal(2, _looked.Count);
    }

    [Fact]
    public async Task On_PostgreSQL_other_nodes_hear_of_a_change_at_once_and_find_it_by_looking_too()
    {
        await using var under = await PostgresUnderTest.OpenAsync(_clock);
        await using var other = await under.OpenStoreAsync("other");
        using var stop = new CancellationTokenSource();
        other.Notices.Subscribe(Topic.Keys, _ => Look(Topic.Keys));
        await other.Notices.LookAsync(default);

        // Without listening.
        await under.Postgres.ChangeAsync(Topic.Keys, connection => connection.Execute("DELETE FROM pauses"));
        await other.Notices.LookAsync(default);
        Assert.Equal(2, _looked.Count);

        // By what it hears: this clock stands still, so nothing looks by itself.
        var listening = other.Signals.ListenAsync(static _ => { }, stop.Token);
        var running = other.Notices.RunAsync(stop.Token);
        await Eventually.HoldsAsync(async () =>
        {
            await under.Postgres.ChangeAsync(Topic.Keys, connection => connection.Execute("DELETE FROM pauses"));
            return _looked.Count > 2;
        });
        await stop.CancelAsync();
        await Task.WhenAll(listening, running);
    }

    [Fact]
    public async Task A_change_that_is_rolled_back_is_not_told()
    {
        await using var under = await PostgresUnderTest.OpenAsync(_clock);
        under.Postgres.Notices.Subscribe(Topic.Keys, _ => Look(Topic.Keys));
        await under.Postgres.Notices.LookAsync(default);
        await Assert.ThrowsAnyAsync<Exception>(() => under.Postgres.ChangeAsync<int>(
            Topic.Keys, connection => connection.Execute("DELETE FROM no_such_table")));
        await under.Postgres.Notices.LookAsync(default);
        Assert.Single(_looked);
    }

    Notices Subscribed()
    {
        var notices = new Notices(_ => Task.FromResult<IReadOnlyDictionary<Topic, long>>(_versions), _clock, NullLogger.Instance);
        notices.Subscribe(Topic.Pauses, _ => Look(Topic.Pauses));
        notices.Subscribe(Topic.Keys, _ => Look(Topic.Keys));
        return notices;
    }

    Task Look(Topic topic)
    {
        _looked.Add(topic);
        return Task.CompletedTask;
    }
}
