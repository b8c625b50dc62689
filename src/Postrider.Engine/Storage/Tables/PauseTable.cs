using Dapper;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Routing;

namespace Postrider.Storage.Tables;

/// <summary>Pauses in the store's database. All tenants, streams or routes are 0, -1 and the empty text: a key has no NULL.</summary>
public sealed class PauseTable(ITableStore store) : IPauseStore
{
    const int AllTenants = 0;
    const int AllStreams = -1;
    const string AllRoutes = "";

    public Task<IReadOnlyList<Pause>> LoadAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<Pause>>(connection =>
        [.. connection.Query<Row>("SELECT tenant, stream, route, since, reason FROM pauses").Select(row => row.ToPause())], ct);

    public Task AddAsync(Pause pause, CancellationToken ct) => store.ChangeAsync(Topic.Pauses, connection => connection.Execute("""
        INSERT INTO pauses (tenant, stream, route, since, reason) VALUES (@Tenant, @Stream, @Route, @Since, @Reason)
        ON CONFLICT (tenant, stream, route) DO NOTHING
        """, Row.Of(pause)));

    public Task RemoveAsync(PauseScope scope, CancellationToken ct) => store.ChangeAsync(Topic.Pauses, connection => connection.Execute(
        "DELETE FROM pauses WHERE (tenant, stream, route) = (@Tenant, @Stream, @Route)", Row.Of(new Pause(scope, default, null))));

    sealed class Row
    {
        public int Tenant { get; init; }
        public int Stream { get; init; }
        public string Route { get; init; } = "";
        public long Since { get; init; }
        public string? Reason { get; init; }

        public static Row Of(Pause pause) => new()
        {
            Tenant = pause.Scope.Tenant?.Value ?? AllTenants,
            Stream = pause.Scope.Stream is { } stream ? (int)stream : AllStreams,
            Route = pause.Scope.Route ?? AllRoutes,
            Since = pause.Since.ToUnixTimeMilliseconds(),
            Reason = pause.Reason,
        };

        public Pause ToPause() => new(
            new PauseScope(
                Tenant == AllTenants ? null : new TenantId(Tenant),
                Stream == AllStreams ? null : (MailStream)Stream,
                Route == AllRoutes ? null : Route),
            DateTimeOffset.FromUnixTimeMilliseconds(Since), Reason);
    }
}
