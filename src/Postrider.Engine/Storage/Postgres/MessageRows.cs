using System.Text;
using Npgsql;
using Postrider.Messages;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>The messages and recipients of a running transaction: those that came in, and those that were found and changed.</summary>
sealed class MessageRows(PostgresSession session) : IMessageTables
{
    public const string HeadColumns = "m.id, m.tenant, m.stream, m.batch, m.route, m.expires, m.on_ambiguous, m.ordering_key";
    const string SelectHeads = $"SELECT {HeadColumns} FROM messages m WHERE m.id = ANY($1)";
    public const string LockHeads = $"{SelectHeads} ORDER BY m.id FOR UPDATE";
    const string SelectRecipients =
        "SELECT message, n, envelope, address, state, tries, generation, held, updated FROM recipients WHERE message = ANY($1)";

    public const string UpdateRecipients = """
        UPDATE recipients r SET envelope = c.envelope, tries = c.tries, generation = c.generation, state = c.state, held = c.held,
            updated = c.updated
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS c (message, n, envelope, tries, generation, state, held, updated)
        WHERE r.message = c.message AND r.n = c.n
        """;

    /// <summary>A recipient as it will be, and the state in which the table has it.</summary>
    readonly record struct Changed(RecipientRow Row, RecipientState Stored, long Updated);

    readonly Dictionary<long, MessageRow> _heads = [];
    readonly HashSet<long> _absent = [];
    readonly Dictionary<long, List<RecipientRow>> _recipients = [];   // complete, in the order of n
    readonly Dictionary<(long Message, int N), Changed> _changed = [];
    NewRows _new = new();

    /// <summary>Rows to insert, by column.</summary>
    sealed class NewRows
    {
        public readonly List<long> Id = [], Expires = [];
        public readonly List<long?> Batch = [], SendAt = [];
        public readonly List<int> Tenant = [];
        public readonly List<short> Stream = [], Policy = [];
        public readonly List<string?> Route = [], Ordering = [], Sender = [], Subject = [], Tags = [], Metadata = [];
        public readonly List<byte[]?> Content = [];

        public readonly List<long> Message = [], Hash = [], Updated = [];
        public readonly List<int> N = [], Envelope = [];
        public readonly List<short> Kind = [], State = [], Held = [];
        public readonly List<string?> Address = [], Name = [];
    }

    public void InsertBatch(PreparedBatch batch, PreparedAcceptance of)
    {
        // A batch may arrive in several calls: it is stored with the first.
        session.Later("""
            INSERT INTO batches (id, tenant, count, sender, subject, content) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (id) DO UPDATE SET count = greatest(batches.count, excluded.count) WHERE batches.tenant = excluded.tenant
            """, Sql.Long(batch.Id), Sql.Int(of.Tenant), Sql.Int(batch.Count), Sql.Text(Text(of.Fields, batch.Sender)),
            Sql.Text(Text(of.Fields, batch.Subject)), Sql.Bytes(Bytes(of.Fields, batch.Content)));
    }

    public void InsertMessage(PreparedMessage message, PreparedAcceptance of)
    {
        var fields = of.Fields;
        _new.Id.Add(message.Id);
        _new.Tenant.Add(of.Tenant);
        _new.Stream.Add((short)message.Stream);
        _new.Batch.Add(of.Batch?.Id);
        _new.Route.Add(StoredText.Storable(message.RouteName));
        _new.SendAt.Add(message.SendAt);
        _new.Expires.Add(message.Expires);
        _new.Policy.Add((short)message.OnAmbiguous);
        _new.Ordering.Add(StoredText.Storable(message.OrderingKeyText));
        _new.Sender.Add(Text(fields, message.Sender));
        _new.Subject.Add(Text(fields, message.Subject));
        _new.Tags.Add(Text(fields, message.Tags));
        _new.Metadata.Add(Text(fields, message.Metadata));
        _new.Content.Add(Bytes(fields, message.Content));
    }

    public void InsertRecipient(
        long message, in PreparedRecipient recipient, int envelope, RecipientState state, HeldReason held, FieldWriter fields, long now)
    {
        _new.Message.Add(message);
        _new.N.Add(recipient.N);
        _new.Envelope.Add(envelope);
        _new.Kind.Add((short)recipient.Kind);
        _new.Address.Add(Text(fields, recipient.Address));
        _new.Name.Add(Text(fields, recipient.Name));
        _new.State.Add((short)state);
        _new.Held.Add((short)held);
        _new.Updated.Add(now);
        _new.Hash.Add(recipient.SearchHash);
    }

    static string? Text(FieldWriter fields, Slice? slice) =>
        slice is { } there ? StoredText.Storable(Encoding.UTF8.GetString(fields[there])) : null;

    static byte[]? Bytes(FieldWriter fields, Slice? slice) => slice is { } there ? fields[there].ToArray() : null;

    /// <summary>Holds messages until the transaction ends: nobody else adds rows to them.</summary>
    public void Lock(Trip trip, IReadOnlyCollection<long> messages)
    {
        if (messages.Count > 0)
            trip.Read(LockHeads, row => See(row, 0), Sql.Longs([.. messages]));
    }

    /// <summary>Reads the recipients of messages whose rows are held by now.</summary>
    public void Prefetch(Trip trip, IReadOnlyCollection<long> messages)
    {
        if (messages.Count == 0)
            return;
        foreach (var message in messages)
            _recipients.TryAdd(message, []);
        trip.Read($"{SelectRecipients} ORDER BY message, n", row => SeeRecipient(row, 0), Sql.Longs([.. messages]));
    }

    /// <summary>A message's columns that came with something else.</summary>
    public void See(NpgsqlDataReader row, int from)
    {
        var id = row.GetInt64(from);
        _heads[id] = new MessageRow(
            id, row.GetInt32(from + 1), (MailStream)row.GetInt16(from + 2), row.LongOrNull(from + 3), row.GetString(from + 4),
            row.GetInt64(from + 5), (AmbiguityPolicy)row.GetInt16(from + 6), row.TextOrNull(from + 7));
    }

    /// <summary>A recipient's columns, in the order of numbers.</summary>
    public void SeeRecipient(NpgsqlDataReader row, int from)
    {
        var message = row.GetInt64(from);
        if (!_recipients.TryGetValue(message, out var all))
            _recipients[message] = all = [];
        var n = row.GetInt32(from + 1);
        // They may come a second time; then what was changed here meanwhile counts.
        if (all.Count > 0 && all[^1].N >= n)
            return;
        all.Add(new RecipientRow(
            n, row.GetInt32(from + 2), row.GetString(from + 3), (RecipientState)row.GetInt16(from + 4),
            row.GetInt32(from + 5), row.GetInt32(from + 6), (HeldReason)row.GetInt16(from + 7), row.GetInt64(from + 8)));
    }

    public bool Knows(long message) => _recipients.ContainsKey(message);

    public MessageRow? Find(long message)
    {
        if (_heads.TryGetValue(message, out var known))
            return known;
        if (_absent.Contains(message))
            return null;
        session.Ask(SelectHeads, row => See(row, 0), Sql.Longs([message]));
        if (_heads.TryGetValue(message, out known))
            return known;
        _absent.Add(message);
        return null;
    }

    public void Reschedule(long message, long sendAt, long expires)
    {
        session.Later(
            "UPDATE messages SET send_at = $2, expires = $3 WHERE id = $1", Sql.Long(message), Sql.Long(sendAt), Sql.Long(expires));
        if (_heads.TryGetValue(message, out var known))
            _heads[message] = known with { Expires = expires };
    }

    public List<RecipientRow> Recipients(long message) => [.. Known(message)];

    List<RecipientRow> Known(long message)
    {
        if (_recipients.TryGetValue(message, out var known))
            return known;
        _recipients[message] = [];
        session.Ask($"{SelectRecipients} ORDER BY n", row => SeeRecipient(row, 0), Sql.Longs([message]));
        return _recipients[message];
    }

    public bool End(long message, int n, RecipientState state, HeldReason held, int tries, long now) => Change(
        message, n, r => r.State == RecipientState.Queued ? r with { State = state, Held = held, Tries = tries } : null, now);

    public void Report(long message, int n, RecipientState from, RecipientState to, int tries, long now) => Change(
        message, n, r => r.State == from ? r with { State = to, Held = HeldReason.None, Tries = tries } : null, now);

    public void Discard(long message, int n, long now) => Change(message, n,
        r => r.State is RecipientState.Failed or RecipientState.Expired ? r with { Held = HeldReason.Discarded } : null, now);

    public void Touch(long message, int n, int envelope, int tries, long now) => Change(
        message, n, r => r.State == RecipientState.Queued ? r with { Envelope = envelope, Tries = tries } : null, now);

    public void Reopen(long message, int n, int envelope, int generation, long now) => Change(message, n,
        r => r with { State = RecipientState.Queued, Held = HeldReason.None, Envelope = envelope, Generation = generation }, now);

    public List<int> CancelHeld(long message, long now)
    {
        var held = Known(message).FindAll(r => r.State == RecipientState.Held).ConvertAll(r => r.N);
        foreach (var n in held)
            Change(message, n, r => r with { State = RecipientState.Cancelled, Held = HeldReason.None }, now);
        return held;
    }

    bool Change(long message, int n, Func<RecipientRow, RecipientRow?> change, long now)
    {
        var all = Known(message);
        var i = all.FindIndex(r => r.N == n);
        if (i < 0 || change(all[i]) is not { } next)
            return false;
        var stored = _changed.TryGetValue((message, n), out var before) ? before.Stored : all[i].State;
        _changed[(message, n)] = new Changed(next, stored, now);
        all[i] = next;
        return true;
    }

    public void Write(Trip trip)
    {
        WriteNew(trip);
        WriteChanged(trip);
    }

    void WriteNew(Trip trip)
    {
        var rows = _new;
        if (rows.Id.Count == 0 && rows.Message.Count == 0)
            return;
        _new = new NewRows();
        trip.Add("""
            INSERT INTO messages (id, tenant, stream, batch, route, send_at, expires, on_ambiguous, ordering_key, sender, subject, tags,
                metadata, content)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """, Sql.Longs(rows.Id), Sql.Ints(rows.Tenant), Sql.Shorts(rows.Stream), Sql.Longs(rows.Batch), Sql.Texts(rows.Route),
            Sql.Longs(rows.SendAt), Sql.Longs(rows.Expires), Sql.Shorts(rows.Policy), Sql.Texts(rows.Ordering), Sql.Texts(rows.Sender),
            Sql.Texts(rows.Subject), Sql.Texts(rows.Tags), Sql.Texts(rows.Metadata), Sql.Blobs(rows.Content));
        trip.Add("""
            INSERT INTO recipients (message, n, envelope, kind, address, name, state, held, updated, hash, tries, generation)
            SELECT r.*, 0, 0 FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS r
            """, Sql.Longs(rows.Message), Sql.Ints(rows.N), Sql.Ints(rows.Envelope), Sql.Shorts(rows.Kind), Sql.Texts(rows.Address),
            Sql.Texts(rows.Name), Sql.Shorts(rows.State), Sql.Shorts(rows.Held), Sql.Longs(rows.Updated), Sql.Longs(rows.Hash));
        var ended = new EndedRows();
        for (var i = 0; i < rows.Message.Count; i++)
            ended.Add((RecipientState)rows.State[i], rows.Message[i], rows.N[i]);
        ended.Insert(trip);
    }

    void WriteChanged(Trip trip)
    {
        if (_changed.Count == 0)
            return;
        var (messages, numbers, envelopes, tries, generations) =
            (new List<long>(), new List<int>(), new List<int>(), new List<int>(), new List<int>());
        var (states, held, updated) = (new List<short>(), new List<short>(), new List<long>());
        var (left, reached) = (new EndedRows(), new EndedRows());
        foreach (var ((message, n), (row, stored, at)) in _changed.OrderBy(c => c.Key))
        {
            messages.Add(message);
            numbers.Add(n);
            envelopes.Add(row.Envelope);
            tries.Add(row.Tries);
            generations.Add(row.Generation);
            states.Add((short)row.State);
            held.Add((short)row.Held);
            updated.Add(at);
            if (row.State == stored)
                continue;
            left.Add(stored, message, n);
            reached.Add(row.State, message, n);
        }
        _changed.Clear();
        trip.Add(UpdateRecipients, Sql.Longs(messages), Sql.Ints(numbers), Sql.Ints(envelopes), Sql.Ints(tries), Sql.Ints(generations),
            Sql.Shorts(states), Sql.Shorts(held), Sql.Longs(updated));
        left.Delete(trip);
        reached.Insert(trip);
    }

    public void Forget()
    {
        _heads.Clear();
        _absent.Clear();
        _recipients.Clear();
        _changed.Clear();
        _new = new NewRows();
    }

    /// <summary>Rows of <c>ended</c>; states that are not kept there are passed over.</summary>
    sealed class EndedRows
    {
        readonly List<short> _states = [];
        readonly List<long> _messages = [];
        readonly List<int> _numbers = [];

        public void Add(RecipientState state, long message, int n)
        {
            if (state is not (RecipientState.Held or >= RecipientState.Bounced))
                return;
            _states.Add((short)state);
            _messages.Add(message);
            _numbers.Add(n);
        }

        public void Insert(Trip trip)
        {
            if (_states.Count > 0)
                trip.Add("INSERT INTO ended (state, message, n) SELECT * FROM unnest($1, $2, $3) ON CONFLICT DO NOTHING",
                    Sql.Shorts(_states), Sql.Longs(_messages), Sql.Ints(_numbers));
        }

        public void Delete(Trip trip)
        {
            if (_states.Count > 0)
                trip.Add("""
                    DELETE FROM ended e USING unnest($1, $2, $3) AS c (state, message, n)
                    WHERE e.state = c.state AND e.message = c.message AND e.n = c.n
                    """, Sql.Shorts(_states), Sql.Longs(_messages), Sql.Ints(_numbers));
        }
    }
}

static class Columns
{
    extension(NpgsqlDataReader row)
    {
        public long? LongOrNull(int column) => row.IsDBNull(column) ? null : row.GetInt64(column);
        public string? TextOrNull(int column) => row.IsDBNull(column) ? null : row.GetString(column);
        public byte[]? BytesOrNull(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<byte[]>(column);
    }
}
