using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Finds a message by what its provider calls it, for the few reports that do not bring our id back.</summary>
/// <remarks>An index of provider ids would cost every mail a row. The index of addresses is there: who got the message, and when, leads to
/// a few, and their attempts say what the provider answered.</remarks>
sealed class ProviderIdSearch(DbConnection connection, ReadDialect dialect)
{
    /// <summary>Newest first; who gets more mail within <see cref="Window"/> is found by our own id only.</summary>
    const int MaxCandidates = 200;

    /// <summary>Providers try for up to three days; some more for complaints, which come from people.</summary>
    static readonly TimeSpan Window = TimeSpan.FromDays(10);

    /// <param name="owner">Null: of all tenants.</param>
    public MessageId? Find(TenantId? owner, string transport, string providerId, string address, DateTimeOffset at)
    {
        if (!StoredAddress.TryParse(address, out var parsed))
            return null;
        var low = MessageId.Create((at - Window).ToUnixTimeMilliseconds(), 0, 0).Value;
        var high = MessageId.Create((at + TimeSpan.FromHours(1)).ToUnixTimeMilliseconds(), 0, 0).Value;
        foreach (var tenant in owner is { } only ? [only.Value] : Tenants())
        {
            foreach (var message in dialect.FindByHash(
                connection, StoredAddress.SearchHash(new TenantId(tenant), parsed), low, high, ascending: false, MaxCandidates))
            {
                if (IsKnownAs(message, transport, providerId))
                    return new MessageId(message);
            }
        }
        return null;
    }

    /// <summary>Those that ever sent anything, by their counters: one seek a tenant.</summary>
    List<int> Tenants()
    {
        var tenants = new List<int>();
        long? tenant = 0;
        while (true)
        {
            tenant = connection.ExecuteScalar<long?>(
                "SELECT min(scope) FROM counters WHERE scope > @tenant AND scope <= @last", new { tenant, last = int.MaxValue });
            if (tenant is not { } found)
                return tenants;
            tenants.Add((int)found);
        }
    }

    bool IsKnownAs(long message, string transport, string providerId) => connection.Query<byte[]>(
        $"SELECT details FROM events WHERE message = @message AND {dialect.In("type", "types")}",
        new { message, types = (int[])[(int)MailEventType.Attempt, (int)MailEventType.LateEvidence] })
        .Select(details => EventCodec.Read(details).Attempt)
        .Any(attempt => attempt?.Transport == transport && attempt.Outcomes.Any(o => o.Outcome.ProviderId == providerId));
}
