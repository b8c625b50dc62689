using Postrider.Api;
using Postrider.Batches;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>Tells how far a file is, part by part.</summary>
/// <param name="then">Called when a part is on disk, with all that is.</param>
sealed class WatchedSink(IDestinationSink inner, Action<AppendedPart> then) : IDestinationSink
{
    public TenantId? Owner => inner.Owner;

    public Task<AppendedPart?> FindAsync(string key, CancellationToken ct) => inner.FindAsync(key, ct);

    public Problem? FaultOfFields(IReadOnlyList<string> fields) => inner.FaultOfFields(fields);

    public DestinationFault? FaultOf(StoredDestination destination) => inner.FaultOf(destination);

    public async Task<(AppendedPart Part, Problem? Problem)> AppendAsync(BatchPart part)
    {
        var appended = await inner.AppendAsync(part);
        if (appended.Problem is null)
            then(appended.Part);
        return appended;
    }
}
