using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Retention;

/// <summary>Notes how large the database is, and tells how long its disk lasts.</summary>
/// <param name="freeBytes">Of the disk; null: it cannot be asked.</param>
/// <param name="keepFreeBytes">With less no mail is accepted.</param>
/// <param name="mostBytes">How large the database may become; null: as large as its disk lets it.</param>
public sealed partial class DiskOutlook(
    IStoreSizes sizes, Func<long?> freeBytes, long keepFreeBytes, long? mostBytes, TimeProvider clock, ILogger<DiskOutlook> log)
{
    /// <summary>Oftener than it is noted, so that another node's hour is not missed by much.</summary>
    static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(5);

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            do
                await NoteAsync();
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Others note it, or the next start does.
        }
    }

    async Task NoteAsync()
    {
        try
        {
            await sizes.NoteAsync(clock.GetUtcNow());
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogNotNoted(fault.Message);
        }
    }

    /// <summary>The same with the size of this moment, for somebody who looks.</summary>
    public async Task<DiskForecast> ForecastNowAsync(CancellationToken ct) =>
        await ForecastAsync(ct) with { Bytes = await sizes.SizeAsync(ct) };

    public async Task<DiskForecast> ForecastAsync(CancellationToken ct)
    {
        var noted = await sizes.ListAsync(ct);
        long? room = sizes.IsOnThisDisk && freeBytes() is { } free ? free + await sizes.ReusableBytesAsync(ct) - keepFreeBytes : null;
        if (mostBytes is { } most && noted is [.., var last])
            room = Math.Min(room ?? long.MaxValue, most - last.Bytes);
        return DiskForecast.Of(noted, room);
    }

    [LoggerMessage(LogLevel.Debug, "The size of the database was not noted: {Reason}")]
    partial void LogNotNoted(string reason);
}
