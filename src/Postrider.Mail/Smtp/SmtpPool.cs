using System.Buffers;
using System.Runtime.CompilerServices;

namespace Postrider.Mail.Smtp;

/// <summary>How many connections a pool keeps, and for how long.</summary>
public sealed record SmtpPoolOptions
{
    /// <summary>Connections in use and idle together; who needs one more waits. Default 10.</summary>
    public int MaxConnections { get; init => field = AtLeastOne(value); } = 10;

    /// <summary>Messages on one connection before it is closed: large receivers allow so many. Default 100.</summary>
    public int MaxMessagesPerConnection { get; init => field = AtLeastOne(value); } = 100;

    /// <summary>How long a connection may wait for its next message. Default 30 s, below what large relays allow.</summary>
    public TimeSpan IdleLimit { get; init => field = Positive(value); } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How old a connection may get, so that changes of addresses and certificates are seen. Default 5 min (Postfix
    /// smtp_connection_reuse_time_limit).
    /// </summary>
    public TimeSpan AgeLimit { get; init => field = Positive(value); } = TimeSpan.FromMinutes(5);

    static int AtLeastOne(int value) => value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "At least one.");

    static TimeSpan Positive(TimeSpan value)
        => value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "More than zero.");
}

/// <summary>
/// Connections to one endpoint, shared and reused. The one used last is used next, so that those not needed grow old and close.
/// Thread-safe. How much is sent at once is the caller's affair; the limit here only guards the server.
/// </summary>
public sealed class SmtpPool : IAsyncDisposable
{
    /// <summary>A connection that waits for its next use.</summary>
    readonly record struct Pooled(SmtpConnection Connection, long OpenedAt, long IdleSince);

    readonly SmtpPoolOptions _options;
    readonly SmtpTimeouts _timeouts;
    readonly TimeProvider _clock;
    readonly SemaphoreSlim _slots;
    readonly ITimer _sweep;
    readonly Lock _lock = new();
    // Under the lock. The last one is the freshest.
    readonly List<Pooled> _idle = [];
    Task _closings = Task.CompletedTask;
    int _inUse;
    bool _isDisposed;

    /// <summary>An empty pool; connections are opened when mail needs them.</summary>
    public SmtpPool(SmtpEndpoint endpoint, SmtpPoolOptions options, SmtpTimeouts timeouts, TimeProvider clock)
    {
        Endpoint = endpoint;
        _options = options;
        _timeouts = timeouts;
        _clock = clock;
        _slots = new SemaphoreSlim(options.MaxConnections);
        _sweep = clock.CreateTimer(static self => ((SmtpPool)self!).Sweep(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The server behind the pool.</summary>
    public SmtpEndpoint Endpoint { get; }

    /// <summary>A connection of the caller's own, to see whether one can be had; the pool does not count it. Gives up early: nobody's mail
    /// waits for it.</summary>
    public ValueTask<SmtpOpening> TryOpenAsync(CancellationToken ct) => SmtpConnection.OpenAsync(Endpoint, Impatient, _clock, ct);

    static readonly SmtpTimeouts Impatient = new()
    {
        Connect = TimeSpan.FromSeconds(10),
        Banner = TimeSpan.FromSeconds(15),
        Ehlo = TimeSpan.FromSeconds(10),
        StartTls = TimeSpan.FromSeconds(10),
        Auth = TimeSpan.FromSeconds(10),
    };

    /// <summary>Connections that wait for mail.</summary>
    public int Idle
    {
        get
        {
            lock (_lock)
                return _idle.Count;
        }
    }

    /// <summary>Connections that carry mail or are being opened.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>
    /// Sends one message over a pooled connection, or a new one. A reused connection that turns out to be closed before the server answered
    /// anything is replaced once, unseen. Everything else is as in <see cref="SmtpConnection.SendAsync"/>.
    /// </summary>
    /// <param name="envelope">From whom and to whom.</param>
    /// <param name="content">Headers and body; stays unchanged until this returns.</param>
    /// <param name="commitPoint">As in <see cref="SmtpConnection.SendAsync"/>.</param>
    /// <param name="ct">Gives up, also while waiting for a connection.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SmtpSendResult> SendAsync(
        SmtpEnvelope envelope, ReadOnlySequence<byte> content, Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        try
        {
            await _slots.WaitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            const string Text = "cancelled while waiting for a connection";
            return Unsent(envelope, new SmtpFailure(SmtpPhase.Connect, SmtpFailureKind.Cancelled, true, null, Text));
        }
        Interlocked.Increment(ref _inUse);
        try
        {
            if (await TakeIdleAsync() is { } reused)
            {
                var result = await SendOnAsync(reused, envelope, content, commitPoint, ct);
                if (!IsStale(result))
                    return result;
            }
            var opened = await SmtpConnection.OpenAsync(Endpoint, _timeouts, _clock, ct);
            return opened.Connection is { } fresh
                ? await SendOnAsync(new Pooled(fresh, _clock.GetTimestamp(), 0), envelope, content, commitPoint, ct)
                : Unsent(envelope, opened.Failure!);
        }
        finally
        {
            Interlocked.Decrement(ref _inUse);
            _slots.Release();
        }
    }

    /// <summary>Closes what is idle with QUIT; what is in use follows when its message is done.</summary>
    public async ValueTask DisposeAsync()
    {
        Task closings;
        lock (_lock)
        {
            _isDisposed = true;
            foreach (var pooled in _idle)
                CloseBehind_NeedsLock(pooled.Connection);
            _idle.Clear();
            closings = _closings;
        }
        await _sweep.DisposeAsync();
        await closings;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<SmtpSendResult> SendOnAsync(
        Pooled pooled, SmtpEnvelope envelope, ReadOnlySequence<byte> content,
        Func<CancellationToken, ValueTask<bool>>? commitPoint, CancellationToken ct)
    {
        try
        {
            return await pooled.Connection.SendAsync(envelope, content, commitPoint, ct);
        }
        finally
        {
            PutBack(pooled);
        }
    }

    /// <summary>The server hung up, or said 421 for idleness or for its own limits, before it heard of this message.</summary>
    static bool IsStale(SmtpSendResult result)
        => result is { NothingAnswered: true, Failure.KnownUnsent: true }
            && result.Failure.Kind is SmtpFailureKind.ConnectionClosed or SmtpFailureKind.ServiceClosing;

    static SmtpSendResult Unsent(SmtpEnvelope envelope, SmtpFailure failure)
        => new(new SmtpRecipientResult[envelope.Recipients.Count], final: null, failure);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<Pooled?> TakeIdleAsync()
    {
        while (true)
        {
            Pooled last;
            lock (_lock)
            {
                if (_idle is [])
                    return null;
                last = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
            }
            if (last.Connection.IsUsable && !IsTooOld(last))
                return last;
            await last.Connection.DisposeAsync();
        }
    }

    void PutBack(Pooled pooled)
    {
        var connection = pooled.Connection;
        lock (_lock)
        {
            if (_isDisposed || !connection.IsUsable || connection.Transactions >= _options.MaxMessagesPerConnection || IsTooOld(pooled))
            {
                CloseBehind_NeedsLock(connection);
                return;
            }
            connection.WatchWhileIdle();
            _idle.Add(pooled with { IdleSince = _clock.GetTimestamp() });
            if (_idle.Count == 1)
                _sweep.Change(_options.IdleLimit, Timeout.InfiniteTimeSpan);
        }
    }

    bool IsTooOld(in Pooled pooled) => _clock.GetElapsedTime(pooled.OpenedAt) >= _options.AgeLimit;

    /// <summary>Closes what nobody used for the idle limit, and what the server has closed already.</summary>
    void Sweep()
    {
        lock (_lock)
        {
            _idle.RemoveAll(pooled =>
            {
                var expired = !pooled.Connection.IsUsable || _clock.GetElapsedTime(pooled.IdleSince) >= _options.IdleLimit;
                if (expired)
                    CloseBehind_NeedsLock(pooled.Connection);
                return expired;
            });
            if (_idle is [var oldest, ..] && !_isDisposed)
            {
                var left = _options.IdleLimit - _clock.GetElapsedTime(oldest.IdleSince);
                _sweep.Change(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>QUIT takes a round trip that no message should wait for.</summary>
    void CloseBehind_NeedsLock(SmtpConnection connection) => _closings = Task.WhenAll(_closings, connection.CloseAsync().AsTask());
}
