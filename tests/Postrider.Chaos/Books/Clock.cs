namespace Postrider.Chaos.Books;

/// <summary>One wall clock for all processes of a run.</summary>
static class Clock
{
    /// <summary>Microseconds since 1970.</summary>
    public static long Now => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static Task WaitAsync(TimeSpan span, CancellationToken ct = default) => Task.Delay(span, TimeProvider.System, ct);
    public static Task WaitAsync(int milliseconds) => WaitAsync(TimeSpan.FromMilliseconds(milliseconds));
}
