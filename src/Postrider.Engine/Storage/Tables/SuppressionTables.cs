using Dapper;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Suppression;

namespace Postrider.Storage.Tables;

/// <summary>The suppression list in the store's database, for people and programs; mail is tested by the engines' own statements.</summary>
public sealed class SuppressionTables(ITableStore store) : ISuppressionStore
{
    const string Select = "SELECT address, address_hash AS AddressHash, stream, cause, reason, message, at, until FROM suppressions";

    public Task<int> AddAsync(TenantId tenant, IReadOnlyList<SuppressedAddress> addresses) => store.WriteAsync(connection =>
        // In one order, as two transactions may add the same addresses.
        addresses.Select(added => Row.Of(tenant, added, HashOf)).OrderBy(row => Convert.ToHexString(row.AddressHash)).Sum(row =>
            connection.Execute($"""
                INSERT INTO suppressions (tenant, address_hash, stream, cause, reason, message, at, until, address)
                VALUES (@Tenant, @AddressHash, @Stream, @Cause, @Reason, @Message, @At, @Until, @Address)
                {SuppressionSql.KeepTheLonger}
                """, row)), isBulk: addresses.Count > 1);


    public Task<int> RemoveAsync(TenantId tenant, string email, MailStream? stream) => store.WriteAsync(connection => connection.Execute(
        "DELETE FROM suppressions WHERE tenant = @tenant AND address_hash = @hash AND (@stream IS NULL OR stream = @stream)",
        new { tenant = tenant.Value, hash = HashOf(tenant, email), stream = (int?)stream }));

    public Task<IReadOnlyList<SuppressedAddress>> FindAsync(TenantId tenant, string email, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<SuppressedAddress>>(connection =>
        [
            .. connection.Query<Row>($"{Select} WHERE tenant = @tenant AND address_hash = @hash ORDER BY stream",
                new { tenant = tenant.Value, hash = HashOf(tenant, email) }).Select(row => row.ToAddress()),
        ], ct);

    // Uses suppressions_at (tenant, at, address_hash, stream).
    public Task<SuppressionPage> ListAsync(
        TenantId tenant, SuppressionCause? cause, SuppressionPlace? after, int limit, CancellationToken ct) => store.ReadAsync(connection =>
    {
        var place = after ?? new SuppressionPlace(long.MaxValue, "", 0);
        var rows = connection.Query<Row>($"""
            {Select} WHERE tenant = @tenant AND (at, address_hash, stream) < (@at, @hash, @stream) AND (@cause IS NULL OR cause = @cause)
            ORDER BY at DESC, address_hash DESC, stream DESC LIMIT @limit
            """, new
        {
            tenant = tenant.Value,
            at = place.AtMs,
            hash = Convert.FromHexString(place.Hash),
            stream = place.Stream,
            cause = (int?)cause,
            limit = limit + 1,
        }).AsList();
        return new SuppressionPage([.. rows.Take(limit).Select(row => row.ToAddress())],
            rows.Count > limit ? rows[limit - 1].Place : null);
    }, ct);

    byte[] HashOf(TenantId tenant, string email)
    {
        var hash = new byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(tenant, email, hash);
        store.AddressKey.Apply(hash);
        return hash;
    }

    sealed class Row
    {
        public int Tenant { get; init; }
        public byte[] AddressHash { get; init; } = [];
        public int Stream { get; init; }
        public int Cause { get; init; }
        public string Reason { get; init; } = "";
        public long? Message { get; init; }
        public long At { get; init; }
        public long? Until { get; init; }
        public string? Address { get; init; }

        public SuppressionPlace Place => new(At, Convert.ToHexString(AddressHash), Stream);

        public static Row Of(TenantId tenant, SuppressedAddress added, Func<TenantId, string, byte[]> hashOf) => new()
        {
            Tenant = tenant.Value,
            AddressHash = hashOf(tenant, added.Email ?? throw new ArgumentException("The address is not there.", nameof(added))),
            Stream = SuppressionSql.NumberOf(added.Stream),
            Cause = (int)added.Cause,
            Reason = StoredText.Storable(added.Reason)!,
            Message = added.Message?.Value,
            At = added.At.Ms,
            Until = added.Until?.Ms,
            Address = added.Email,
        };

        public SuppressedAddress ToAddress() => new(
            Address, SuppressionSql.StreamOf(Stream), (SuppressionCause)Cause, Reason, Message is { } id ? new MessageId(id) : null,
            Instant.From(At), Until is { } until ? Instant.From(until) : null);
    }
}
