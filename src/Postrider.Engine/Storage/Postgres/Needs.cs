using Postrider.Batches;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>What the works of one transaction will ask for: fetched, and locked, in one round trip before the first of them runs. What is
/// not asked for here is found too, each time by a round trip of its own.</summary>
sealed class Needs
{
    /// <summary>Leases that end: their rows are deleted where the claim stands.</summary>
    public List<Lease> Claims { get; } = [];

    /// <summary>Messages of which rows may be added or recipients reopened: locked whole.</summary>
    public HashSet<long> Messages { get; } = [];

    /// <summary>Of <see cref="Messages"/>, those whose ordering key is not known: it is read first, because keys are held before
    /// messages.</summary>
    public HashSet<long> Strangers { get; } = [];

    /// <summary>Rows that are rewritten.</summary>
    public HashSet<EnvelopeId> Rows { get; } = [];

    public List<DueRequest> Due { get; } = [];

    /// <summary>Nodes that must be members while this transaction runs.</summary>
    public HashSet<Incarnation> Owners { get; } = [];
    public HashSet<(int Tenant, string Key)> IdempotencyKeys { get; } = [];
    public HashSet<(int Tenant, string Key)> OrderingKeys { get; } = [];
    public List<(int Tenant, byte[] Hash)> Suppressions { get; } = [];
    public HashSet<int> Tenants { get; } = [];

    /// <summary>Messages whose attempts, and whether a report was seen before, are asked for.</summary>
    public HashSet<(long Message, long Key)> Reports { get; } = [];

    /// <summary>Pieces of batches: their cursors are moved with the first question.</summary>
    public List<BatchPiece> Pieces { get; } = [];

    public void Ordering(int tenant, string? orderingKey)
    {
        if (orderingKey is not null)
            OrderingKeys.Add((tenant, orderingKey));
    }

    public void Astray(AstrayLeases leases)
    {
        foreach (var astray in leases.Waiting)
        {
            Rows.Add(astray.Lease.Id);
            Ordering(astray.Tenant, astray.OrderingKey);
        }
    }

    public void Stranger(long message)
    {
        Messages.Add(message);
        Strangers.Add(message);
    }

    public void Report(FeedbackReport report)
    {
        if (report.Message is not { } message)
            return;
        Stranger(message.Value);
        Reports.Add((message.Value, Reporting.KeyOf(report)));
    }
}

/// <summary>Due rows of one key.</summary>
readonly record struct DueRequest(QueueKey Key, Gate Gate, long Now, int Limit);
