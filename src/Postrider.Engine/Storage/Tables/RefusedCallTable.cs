using System.Globalization;
using Dapper;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>The newest refused calls of each tenant in the store's database.</summary>
public sealed class RefusedCallTable(ITableStore store) : IRefusedCallStore
{
    public Task AddAsync(IReadOnlyList<RefusedCall> calls) => store.WriteAsync(connection =>
    {
        connection.Execute("""
            INSERT INTO refused_calls (at, tenant, key, call, target, status, problem, detail, faults, times)
            VALUES (@at, @tenant, @Key, @call, @target, @Status, @Problem, @detail, @faults, @Times)
            """, calls.Select(call => new
        {
            at = call.At.ToUnixTimeMilliseconds(),
            tenant = call.Tenant.Value,
            call.Key,
            call = StoredText.Storable(call.Call),
            target = StoredText.Storable(call.Target),
            call.Status,
            call.Problem,
            detail = StoredText.Storable(call.Detail),
            // A line each; slugs have no space.
            faults = StoredText.Storable(string.Join('\n', call.Faults.Select(fault => $"{fault.Slug} {OneLine(fault.Pointer)}"))),
            call.Times,
        }));
        // Uses refused_calls_tenant.
        return connection.Execute("""
            DELETE FROM refused_calls WHERE tenant = @tenant AND id <=
                (SELECT id FROM refused_calls WHERE tenant = @tenant ORDER BY id DESC LIMIT 1 OFFSET @most)
            """, calls.Select(call => call.Tenant.Value).Distinct().Order()
                .Select(tenant => new { tenant, most = IRefusedCallStore.MostOfTenant }));
    }, isBulk: true);

    public Task<IReadOnlyList<RefusedCall>> ListAsync(
        TenantId tenant, RefusedCallFilter filter, long? before, int limit, CancellationToken ct)
    {
        var values = new DynamicParameters(new
        {
            tenant = tenant.Value,
            before = before ?? long.MaxValue,
            limit,
            call = filter.Call?.ToLowerInvariant(),
            filter.Status,
        });
        for (var i = 0; i < filter.Keys.Count; i++)
            values.Add(Name(i), filter.Keys[i]);
        var where = string.Concat(
            filter.Keys.Count == 0 ? "" : $" AND key IN ({string.Join(", ", Enumerable.Range(0, filter.Keys.Count).Select(i => $"@{Name(i)}"))})",
            // replace leaves nothing where the part is in it: no sign in it means anything, as % would to LIKE.
            filter.Call is null ? "" : " AND replace(lower(call), @call, '') <> lower(call)",
            filter.Status is null ? "" : " AND status = @Status");
        return store.ReadAsync<IReadOnlyList<RefusedCall>>(connection =>
        [
            .. connection.Query<Row>($"""
                SELECT id, at, tenant, key, call, target, status, problem, detail, faults, times FROM refused_calls
                WHERE tenant = @tenant AND id < @before{where} ORDER BY id DESC LIMIT @limit
                """, values).Select(row => row.ToCall()),
        ], ct);

        static string Name(int i) => string.Create(CultureInfo.InvariantCulture, $"key{i}");
    }

    static string OneLine(string pointer) => pointer.Replace('\n', ' ');

    sealed class Row
    {
        public long Id { get; init; }
        public long At { get; init; }
        public int Tenant { get; init; }
        public string Key { get; init; } = "";
        public string Call { get; init; } = "";
        public string Target { get; init; } = "";
        public int Status { get; init; }
        public string Problem { get; init; } = "";
        public string Detail { get; init; } = "";
        public string Faults { get; init; } = "";
        public int Times { get; init; }

        public RefusedCall ToCall() => new(
            Id, DateTimeOffset.FromUnixTimeMilliseconds(At), new TenantId(Tenant), Key, Call, Target, Status, Problem, Detail,
            [.. Faults.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Place)], Times);

        static RefusedPlace Place(string line)
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            return new RefusedPlace(line[(space + 1)..], line[..space]);
        }
    }
}
