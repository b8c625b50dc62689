using System.Data.Common;
using System.Globalization;
using Dapper;
using Postrider.Batches;
using Postrider.Messages;

namespace Postrider.Storage.Tables;

/// <summary>How far the calls have come that fill large batches under an idempotency key.</summary>
static class BatchParts
{
    /// <summary>Default where the key is not known.</summary>
    public static AppendedPart Find(DbConnection connection, MessageId batch, string key)
    {
        var row = connection.QuerySingleOrDefault<Row>(
            "SELECT lines, accepted, refused, fingerprint, total FROM expansion_parts WHERE batch = @batch AND key = @key",
            new { batch = batch.Value, key });
        return row is null ? default : new AppendedPart(row.Lines, row.Accepted, row.Refused)
        {
            Fingerprint = row.Fingerprint is null ? null
                : UInt128.Parse(row.Fingerprint, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
            Total = row.Total,
        };
    }

    public static void Put(DbConnection connection, MessageId batch, string key, AppendedPart part) => connection.Execute("""
        INSERT INTO expansion_parts (batch, key, lines, accepted, refused, fingerprint, total)
        VALUES (@batch, @key, @Lines, @Accepted, @Refused, @fingerprint, @Total)
        ON CONFLICT (batch, key) DO UPDATE SET lines = excluded.lines, accepted = excluded.accepted, refused = excluded.refused,
            fingerprint = excluded.fingerprint, total = excluded.total
        """, new
    {
        batch = batch.Value,
        key,
        part.Lines,
        part.Accepted,
        part.Refused,
        fingerprint = part.Fingerprint?.ToString("x32", CultureInfo.InvariantCulture),
        part.Total,
    });

    sealed class Row
    {
        public long Lines { get; init; }
        public int Accepted { get; init; }
        public int Refused { get; init; }
        public string? Fingerprint { get; init; }
        public int? Total { get; init; }
    }
}
