using System.Data.Common;
using Dapper;
using Npgsql;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Postgres;

namespace Postrider.Storage.Tables;

/// <summary>Takes a person out of one message, in the transaction of a connection.</summary>
sealed class MessageErasing(DbConnection connection, ErasedAddress text, TenantId tenant)
{
    readonly bool _isPostgres = connection is NpgsqlConnection;

    /// <param name="isSender">The person sent it: it is erased though none of its recipients is the person.</param>
    public ErasedMessage Run(long id, bool isSender = false)
    {
        var message = connection.QueryFirstOrDefault<MessageRow>($"""
            SELECT sender, subject, tags, metadata, CAST(CASE WHEN length(content) > 1 THEN length(content) ELSE 0 END AS bigint) AS Bytes
            FROM messages WHERE id = @id AND tenant = @tenant {(_isPostgres ? "FOR UPDATE" : "")}
            """, new { id, tenant = tenant.Value });
        if (message is null)
            return ErasedMessage.Absent;
        var recipients = connection.Query<(int N, string Address, int State)>(
            "SELECT n, address, state FROM recipients WHERE message = @id ORDER BY n", new { id }).AsList();
        // Held counts as open: somebody may still let it go.
        if (recipients.Exists(r => r.State is (int)RecipientState.Queued or (int)RecipientState.Held)
            || connection.ExecuteScalar<long?>("SELECT 1 FROM queue WHERE message = @id LIMIT 1", new { id }) is not null)
            return ErasedMessage.Open;
        var theirs = recipients.FindAll(r => text.Is(r.Address));
        if (theirs.Count == 0 && !isSender)
            return ErasedMessage.Absent;
        foreach (var (n, _, _) in theirs)
            connection.Execute($"""
                UPDATE recipients SET address = @Pseudonym, name = NULL {(_isPostgres ? ", hash = @hash" : "")} WHERE message = @id AND n = @n
                """, new { text.Pseudonym, hash = StoredAddress.SearchHash(tenant, StoredAddress.Parse(text.Pseudonym)), id, n });
        Empty(id, message, isAlone: theirs.Count > 0 && theirs.Count == recipients.Count);
        EraseEvents(id);
        return ErasedMessage.Erased;
    }

    /// <summary>The body may hold anything of the person's; nobody can send it again without one.</summary>
    void Empty(long id, MessageRow message, bool isAlone)
    {
        // The subject of a batch is everybody's.
        var subject = isAlone && message.Subject is not null ? "" : text.Replace(message.Subject);
        connection.Execute("""
            UPDATE messages SET content = @gone, sender = @sender, subject = @subject, metadata = @metadata WHERE id = @id
            """, new
        {
            gone = ContentCodec.Gone,
            sender = ErasedSender.Replace(message.Sender, text),
            subject,
            metadata = text.Replace(message.Metadata),
            id,
        });
        connection.Execute("DELETE FROM dead_letters WHERE message = @id", new { id });
        connection.Execute("DELETE FROM inbox WHERE message = @id AND tenant = @tenant", new { id, tenant = tenant.Value });
        OldMessages.Uncount(connection, [(tenant.Value, message.Bytes)]);
    }

    void EraseEvents(long id)
    {
        var rows = connection.Query<(long Id, byte[] Details)>(
            "SELECT id, details FROM events WHERE message = @id AND id >= @oldest ORDER BY id",
            new { id, oldest = _isPostgres ? EventPartitions.Before(id) : 0 }).AsList();
        foreach (var (of, stored) in rows)
        {
            var details = text.Replace(EventCodec.Read(stored));
            using var written = new FieldWriter();
            if (details.Feedback is { } feedback)
                EventCodec.Write(written, details.Recipients.Count == 0 ? null : details.Recipients[0], feedback);
            else
                EventCodec.Write(written, details.Recipients, details.Remark, details.Attempt);
            connection.Execute("UPDATE events SET details = @details WHERE id = @of", new { details = written.Written.ToArray(), of });
        }
    }

    sealed class MessageRow
    {
        public string? Sender { get; init; }
        public string? Subject { get; init; }
        public string? Tags { get; init; }
        public string? Metadata { get; init; }
        public long Bytes { get; init; }
    }
}
