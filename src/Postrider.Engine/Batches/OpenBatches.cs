using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Batches;

/// <summary>What the messages of batches are made with, read once: of the batches that were used last, as many as fit.</summary>
/// <param name="read">The content of a batch; null: it is gone.</param>
/// <param name="mostBytes">Of contents in memory; the one that is used is there however large.</param>
sealed class OpenBatches(
    Func<MessageId, CancellationToken, Task<MessageContent?>> read, Submitter submitter, long mostBytes)
{
    readonly Dictionary<MessageId, Entry> _entries = [];
    long _bytes;
    long _uses;

    /// <summary>Null: its content is gone.</summary>
    public async Task<DestinationMessages?> FindAsync(LargeBatch batch, CancellationToken ct)
    {
        if (!_entries.TryGetValue(batch.Id, out var entry))
        {
            if (await read(batch.Id, ct) is not { } content)
                return null;
            entry = new Entry(submitter.ForDestinations(batch.Tenant, content, batch.Terms),
                BornLeased.ApproximateBytes(content) + content.MergeData.Length);
            _entries.Add(batch.Id, entry);
            _bytes += entry.Bytes;
            while (_bytes > mostBytes && _entries.Count > 1)
                Forget(_entries.Where(one => one.Key != batch.Id).MinBy(one => one.Value.Used).Key);
        }
        entry.Used = ++_uses;
        return entry.Messages;
    }

    public void Forget(MessageId batch)
    {
        if (_entries.Remove(batch, out var entry))
            _bytes -= entry.Bytes;
    }

    sealed class Entry(DestinationMessages messages, long bytes)
    {
        public DestinationMessages Messages => messages;
        public long Bytes => bytes;
        public long Used { get; set; }
    }
}
