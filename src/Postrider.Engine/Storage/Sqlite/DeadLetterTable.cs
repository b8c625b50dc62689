using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>The statements on <c>dead_letters</c> of a running transaction.</summary>
sealed class DeadLetterTable(Statements statements) : IDeadLetterTable
{
    readonly Statement _put = statements.Prepare("""
        INSERT INTO dead_letters (tenant, message, n, stream, route, state, reason, code, enhanced, transport, transient, tries, redrives,
            first_at, at, last_attempt)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?13, ?14)
        ON CONFLICT (message, n) DO UPDATE SET state = excluded.state, reason = excluded.reason, code = excluded.code,
            enhanced = excluded.enhanced, transport = coalesce(excluded.transport, transport), transient = excluded.transient,
            tries = excluded.tries, at = excluded.at, last_attempt = coalesce(excluded.last_attempt, last_attempt)
        """);

    readonly Statement _hide = statements.Prepare(
        "UPDATE dead_letters SET state = 0, redrives = redrives + 1 WHERE message = ?1 AND n = ?2 AND state <> 0");

    readonly Statement _remove = statements.Prepare("DELETE FROM dead_letters WHERE message = ?1 AND n = ?2");

    public void Put(DeadLetterRow row)
    {
        var statement = _put.With().Add(row.Tenant).Add(row.Message).Add(row.N).Add((long)row.Stream).AddText(row.Route)
            .Add((long)row.State).AddText(row.Reason).Add(row.Code);
        AddText(statement, row.Enhanced);
        AddText(statement, row.Transport);
        statement.Add(row.IsTransient ? 1 : 0).Add(row.Tries).Add(row.At).Add(row.LastAttempt).Run();
    }

    public void Hide(long message, int n) => _hide.With().Add(message).Add(n).Run();
    public void Remove(long message, int n) => _remove.With().Add(message).Add(n).Run();

    static void AddText(Statement statement, string? text)
    {
        if (text is null)
            statement.AddNull();
        else
            statement.AddText(text);
    }
}
