using System.Runtime.InteropServices;
using Postrider.Events;

namespace Postrider.Storage.Rules;

/// <summary>The messages that a transaction takes in, for the feed: it lists them in one event a tenant when it commits, no row a
/// mail.</summary>
/// <remarks>Their own rows cannot be read in the order of commits: ids are made before, those of a large batch long before.</remarks>
sealed class AcceptedMessages
{
    /// <summary>In one row: some 1 KB, and what a reader of the feed takes apart at once.</summary>
    const int MostPerRow = 500;

    readonly Dictionary<int, List<long>> _messages = [];

    public void Add(int tenant, long message) =>
        (CollectionsMarshal.GetValueRefOrAddDefault(_messages, tenant, out _) ??= []).Add(message);

    /// <summary>Writes what the transaction took in; then nothing.</summary>
    public void Write(IEventTable events, long now)
    {
        foreach (var (tenant, messages) in _messages)
        {
            messages.Sort();
            for (var at = 0; at < messages.Count; at += MostPerRow)
            {
                using var details = new FieldWriter();
                EventCodec.WriteAccepted(
                    details, CollectionsMarshal.AsSpan(messages).Slice(at, Math.Min(MostPerRow, messages.Count - at)));
                events.Append(0, tenant, MailEventType.Accepted, now, null, details.Written);
            }
        }
        _messages.Clear();
    }

    public void Forget() => _messages.Clear();
}
