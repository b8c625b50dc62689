using System.Globalization;
using System.Text;
using Postrider.Testing;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>Postfix's <c>smtp-sink</c>: takes mail, throws it away and shows a running counter, which we read.</summary>
/// <remarks>With room for the connections of several nodes: it takes 256 by default, and those beyond wait unheard.</remarks>
sealed class CountingSink : IAsyncDisposable
{
    readonly Child _child;
    long _count; // messages taken since the start
    (long Target, TaskCompletionSource<long> Reached)? _wait; // guarded by _lock
    readonly Lock _lock = new();

    CountingSink(Child child, int port)
    {
        _child = child;
        Port = port;
        _ = Task.Run(ReadCounterAsync);
    }

    public int Port { get; }
    public long Count => Volatile.Read(ref _count);

    public static async Task<CountingSink> StartAsync(CancellationToken ct)
    {
        var port = Ports.Free();
        string[] user = Environment.IsPrivilegedProcess ? ["-u", "postfix"] : [];
        var sink = new CountingSink(Child.Start(Programs.SmtpSink, [.. user, "-m", "4000", "-c", $"127.0.0.1:{port}", "1000"]), port);
        await Listeners.WaitUntilOpenAsync(port, ct);
        return sink;
    }

    /// <summary>The timestamp (<see cref="TimeProvider.GetTimestamp"/>) at which the counter reached the target; now if it has.</summary>
    public Task<long> WhenAsync(long target, CancellationToken ct)
    {
        lock (_lock)
        {
            var reached = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Count >= target)
                reached.SetResult(TimeProvider.System.GetTimestamp());
            else
                _wait = (target, reached);
            return reached.Task.WaitAsync(ct);
        }
    }

    public ValueTask DisposeAsync() => _child.DisposeAsync();

    // The counter is text: "sess=2 quit=0 mesg=15\r" at each event. Only the newest whole one of what was read matters.
    async Task ReadCounterAsync()
    {
        var buffer = new byte[64 * 1024];
        var kept = 0;
        while (true)
        {
            var read = await _child.Output.ReadAsync(buffer.AsMemory(kept));
            if (read == 0)
                return;
            var end = buffer.AsSpan(0, kept + read).LastIndexOf((byte)'\r');
            var start = end < 0 ? -1 : buffer.AsSpan(0, end).LastIndexOf("mesg="u8);
            if (start >= 0)
                Counted(long.Parse(Encoding.ASCII.GetString(buffer, start + 5, end - start - 5), CultureInfo.InvariantCulture));
            var rest = buffer.AsSpan(end + 1, kept + read - end - 1);
            rest.CopyTo(buffer);
            kept = rest.Length;
        }
    }

    void Counted(long count)
    {
        Volatile.Write(ref _count, count);
        lock (_lock)
            if (_wait is { } wait && count >= wait.Target)
            {
                wait.Reached.TrySetResult(TimeProvider.System.GetTimestamp());
                _wait = null;
            }
    }
}
