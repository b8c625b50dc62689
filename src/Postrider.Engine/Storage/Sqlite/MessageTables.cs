using Postrider.Messages;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>The statements on <c>messages</c>, <c>batches</c> and <c>recipients</c> that the writer uses.</summary>
sealed class MessageTables(Statements statements) : IMessageTables
{
    readonly Statement _insertMessage = statements.Prepare("""
        INSERT INTO messages (id, tenant, stream, batch, route, send_at, expires, on_ambiguous, ordering_key, sender, subject, tags,
            metadata, content)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        """);

    // A batch may arrive in several calls: it is stored with the first.
    readonly Statement _insertBatch = statements.Prepare("""
        INSERT INTO batches (id, tenant, count, sender, subject, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (id) DO UPDATE SET count = max(count, excluded.count) WHERE tenant = excluded.tenant
        """);

    readonly Statement _insertRecipient = statements.Prepare("""
        INSERT INTO recipients (message, n, envelope, kind, address, name, state, held, tries, generation, updated)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9)
        """);

    readonly Statement _find = statements.Prepare(
        "SELECT id, tenant, stream, batch, route, expires, on_ambiguous, ordering_key FROM messages WHERE id = ?1");

    readonly Statement _reschedule = statements.Prepare("UPDATE messages SET send_at = ?2, expires = ?3 WHERE id = ?1");

    readonly Statement _recipients = statements.Prepare(
        "SELECT n, envelope, address, state, tries, generation, held, updated FROM recipients WHERE message = ?1 ORDER BY n");

    readonly Statement _end = statements.Prepare("""
        UPDATE recipients SET state = ?3, held = ?4, tries = ?5, updated = ?6 WHERE message = ?1 AND n = ?2 AND state = 1
        """);

    readonly Statement _report = statements.Prepare("""
        UPDATE recipients SET state = ?4, held = 0, tries = ?5, updated = ?6 WHERE message = ?1 AND n = ?2 AND state = ?3
        """);

    readonly Statement _discard = statements.Prepare(
        "UPDATE recipients SET held = 4, updated = ?3 WHERE message = ?1 AND n = ?2 AND state IN (13, 14)");

    readonly Statement _touch = statements.Prepare(
        "UPDATE recipients SET envelope = ?3, tries = ?4, updated = ?5 WHERE message = ?1 AND n = ?2 AND state = 1");

    readonly Statement _reopen = statements.Prepare("""
        UPDATE recipients SET state = 1, held = 0, envelope = ?3, generation = ?4, updated = ?5 WHERE message = ?1 AND n = ?2
        """);

    readonly Statement _cancelHeld = statements.Prepare(
        "UPDATE recipients SET state = 16, held = 0, updated = ?2 WHERE message = ?1 AND state = 4 RETURNING n");

    public void InsertMessage(PreparedMessage message, PreparedAcceptance of)
    {
        var fields = of.Fields;
        var row = _insertMessage.With().Add(message.Id).Add(of.Tenant).Add((long)message.Stream).Add(of.Batch?.Id)
            .AddText(fields[message.Route])
            .Add(message.SendAt).Add(message.Expires).Add((long)message.OnAmbiguous);
        AddText(row, fields, message.OrderingKey);
        AddText(row, fields, message.Sender);
        AddText(row, fields, message.Subject);
        AddText(row, fields, message.Tags);
        AddText(row, fields, message.Metadata);
        AddBlob(row, fields, message.Content);
        row.Run();
    }

    public void InsertBatch(PreparedBatch batch, PreparedAcceptance of)
    {
        var row = _insertBatch.With().Add(batch.Id).Add(of.Tenant).Add(batch.Count);
        AddText(row, of.Fields, batch.Sender);
        AddText(row, of.Fields, batch.Subject);
        AddBlob(row, of.Fields, batch.Content);
        row.Run();
    }

    public void InsertRecipient(
        long message, in PreparedRecipient recipient, int envelope, RecipientState state, HeldReason held, FieldWriter fields, long now)
    {
        var row = _insertRecipient.With().Add(message).Add(recipient.N).Add(envelope).Add((long)recipient.Kind)
            .AddText(fields[recipient.Address]);
        AddText(row, fields, recipient.Name);
        row.Add((long)state).Add((long)held).Add(now).Run();
    }

    static void AddText(Statement row, FieldWriter fields, Slice? slice)
    {
        if (slice is { } there)
            row.AddText(fields[there]);
        else
            row.AddNull();
    }

    static void AddBlob(Statement row, FieldWriter fields, Slice? slice)
    {
        if (slice is { } there)
            row.AddBlob(fields[there]);
        else
            row.AddNull();
    }

    public MessageRow? Find(long message)
    {
        _find.With().Add(message);
        if (!_find.Step())
            return null;
        var row = new MessageRow(_find.Long(0), _find.Int(1), (MailStream)_find.Int(2), _find.LongOrNull(3), _find.Text(4), _find.Long(5),
            (AmbiguityPolicy)_find.Int(6), _find.TextOrNull(7));
        _find.Reset();
        return row;
    }

    public void Reschedule(long message, long sendAt, long expires) => _reschedule.With().Add(message).Add(sendAt).Add(expires).Run();

    public List<RecipientRow> Recipients(long message)
    {
        _recipients.With().Add(message);
        var rows = new List<RecipientRow>();
        while (_recipients.Step())
            rows.Add(new RecipientRow(_recipients.Int(0), _recipients.Int(1), _recipients.Text(2), (RecipientState)_recipients.Int(3),
                _recipients.Int(4), _recipients.Int(5), (HeldReason)_recipients.Int(6), _recipients.Long(7)));
        return rows;
    }

    public bool End(long message, int n, RecipientState state, HeldReason held, int tries, long now) =>
        _end.With().Add(message).Add(n).Add((long)state).Add((long)held).Add(tries).Add(now).RunCounting() == 1;

    public void Report(long message, int n, RecipientState from, RecipientState to, int tries, long now) =>
        _report.With().Add(message).Add(n).Add((long)from).Add((long)to).Add(tries).Add(now).Run();

    public void Discard(long message, int n, long now) => _discard.With().Add(message).Add(n).Add(now).Run();

    public void Touch(long message, int n, int envelope, int tries, long now) =>
        _touch.With().Add(message).Add(n).Add(envelope).Add(tries).Add(now).Run();

    public void Reopen(long message, int n, int envelope, int generation, long now) =>
        _reopen.With().Add(message).Add(n).Add(envelope).Add(generation).Add(now).Run();

    public List<int> CancelHeld(long message, long now)
    {
        _cancelHeld.With().Add(message).Add(now);
        var numbers = new List<int>();
        while (_cancelHeld.Step())
            numbers.Add(_cancelHeld.Int(0));
        return numbers;
    }
}
