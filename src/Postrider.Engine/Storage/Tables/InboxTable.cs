using Dapper;
using Postrider.Messages;
using Postrider.Providers.Capture;

namespace Postrider.Storage.Tables;

/// <summary>The inbox in the store's database.</summary>
public sealed class InboxTable(ITableStore store) : IInbox
{
    // length() of a blob reads its header only; both engines count bytes.
    const string Columns =
        "id, tenant, message, transport, at, reverse_path AS ReversePath, recipients, sender, subject, length(mime) AS bytes";

    public Task<long> AddAsync(NewCapturedMail mail, int keep, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var row = new
        {
            tenant = mail.Tenant.Value,
            message = mail.Message.Value,
            mail.Transport,
            at = mail.At.ToUnixTimeMilliseconds(),
            mail.ReversePath,
            recipients = string.Join('\n', mail.Recipients), // no address holds a line break
            From = StoredText.Storable(mail.From),
            Subject = StoredText.Storable(mail.Subject),
            mime = mail.Mime.ToArray(),
        };
        return store.WriteAsync(connection =>
        {
            var id = connection.ExecuteScalar<long>("""
                INSERT INTO inbox (tenant, message, transport, at, reverse_path, recipients, sender, subject, mime)
                VALUES (@tenant, @message, @Transport, @at, @ReversePath, @recipients, @From, @Subject, @mime) RETURNING id
                """, row);
            connection.Execute("DELETE FROM inbox WHERE id <= @last", new { last = id - keep });
            return id;
        });
    }

    // Uses inbox_tenant (tenant, id), or inbox_message (message, id) where one is asked for.
    public Task<IReadOnlyList<CapturedMail>> ListAsync(TenantId tenant, InboxFilter filter, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<CapturedMail>>(connection =>
    [
        .. connection.Query<Row>($"""
            SELECT {Columns} FROM inbox
            WHERE tenant = @tenant {(filter.Message is null ? "" : "AND message = @message")} {(filter.Before is null ? "" : "AND id < @before")}
                {(filter.Recipient is null ? "" : @"AND @line || lower(recipients) || @line LIKE @pattern ESCAPE '\'")}
            ORDER BY id DESC LIMIT @limit
            """, new { tenant = tenant.Value, message = filter.Message?.Value, before = filter.Before, line = "\n", pattern = Pattern(filter.Recipient), limit = filter.Limit })
            .Select(row => row.ToMail()),
    ], ct);

    /// <summary>A whole line, whatever characters it has that a pattern reads otherwise.</summary>
    static string? Pattern(string? recipient) => recipient is null ? null
        : "%\n" + recipient.ToLowerInvariant().Replace(@"\", @"\\", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal)
            .Replace("_", @"\_", StringComparison.Ordinal) + "\n%";

    public Task<CapturedMail?> GetAsync(TenantId tenant, long id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>($"SELECT {Columns}, mime FROM inbox WHERE id = @id AND tenant = @tenant", new { id, tenant = tenant.Value })?.ToMail(), ct);

    public Task<int> ClearAsync(TenantId tenant, CancellationToken ct) => store.WriteAsync(connection =>
        connection.Execute("DELETE FROM inbox WHERE tenant = @tenant", new { tenant = tenant.Value }));

    sealed class Row
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public long Message { get; init; }
        public string Transport { get; init; } = "";
        public long At { get; init; }
        public string? ReversePath { get; init; }
        public string Recipients { get; init; } = "";
        public string Sender { get; init; } = "";
        public string Subject { get; init; } = "";
        public int Bytes { get; init; }
        public byte[]? Mime { get; init; }

        public CapturedMail ToMail() => new(
            Id, new TenantId(Tenant), new MessageId(Message), Transport, DateTimeOffset.FromUnixTimeMilliseconds(At), ReversePath,
            Recipients.Split('\n'), Sender, Subject, Bytes, Mime);
    }
}
