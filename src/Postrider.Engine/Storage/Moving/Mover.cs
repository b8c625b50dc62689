using Microsoft.Extensions.Logging;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Storage.Rules;
using Postrider.Storage.Sqlite;
using Postrider.Tenants;

namespace Postrider.Storage.Moving;

/// <summary>What is to be moved where.</summary>
/// <param name="Path">Of the SQLite database.</param>
/// <param name="Key">That its secrets are sealed with.</param>
/// <param name="SettleAfter">How long evidence is waited for where an attempt was cut by the end of the process.</param>
public sealed record MoveRequest(string Path, PostgresDsn To, MasterKey Key, StorageOptions Storage, TimeSpan SettleAfter)
{
    /// <summary>With the schema: two of one database are two targets.</summary>
    internal string Target => To.Schema is { } schema ? $"{To}?schema={schema}" : To.ToString();
}

/// <summary>How far it is.</summary>
/// <param name="Work">What is done to the table, as a verb for people.</param>
public readonly record struct MoveStep(string Work, string Table, long Done, long Total);

/// <summary>What was moved.</summary>
/// <param name="Rows">Of each table, those that follow from others too.</param>
/// <param name="Swept">Leases of the process that ended, returned to the queue.</param>
/// <param name="Secrets">That were opened on the other side.</param>
/// <param name="WasDone">It had been moved before; nothing was done now.</param>
public sealed record MoveResult(IReadOnlyList<(string Table, long Rows)> Rows, int Swept, int Secrets, bool WasDone);

/// <summary>It cannot be moved, or what arrived is not what left; the message says what to do. The source is as it was.</summary>
public sealed class MoveRefusedException(string message) : Exception(message);

/// <summary>Moves everything from a SQLite database to PostgreSQL, so that no mail is lost and none is sent twice.</summary>
/// <remarks>
/// The lock on the source proves that its process is gone, so its leases are swept as a start would. A note in the source then keeps
/// servers from it, and one in the target from that; both carry the same id, by which a move that was broken off is found again.
/// Rows are copied in pieces, each with its place in one transaction. When all are there, both sides are read and compared, the source is
/// noted as moved, and only then the target is let go: at no moment could a server start on both.
/// </remarks>
public sealed class Mover(MoveRequest request, TimeProvider clock, Entropy entropy, ILogger<SqliteStore> log, Action<MoveStep> step)
{
    /// <summary>The only node that SQLite has; its incarnations are random numbers that are not negative.</summary>
    static readonly Incarnation Nobody = new(0, -1);

    /// <summary>Looks at both sides, and changes nothing that a start would not.</summary>
    public async Task<MoveResult> TryAsync(CancellationToken ct)
    {
        await using var source = OpenSource();
        await using var target = await MoveTarget.OpenAsync(request.To, clock, ct);
        var mark = await source.WriteAsync(MoveMark.Read);
        Judge(mark, target);
        using var reader = source.OpenReader();
        var secrets = SealedSecrets.Open(reader, request.Key, entropy, request.Path);
        var rows = new MoveSource(reader);
        return new MoveResult([.. MovePlan.Tables.Select(table => (table, rows.Count(table)))], 0, secrets, mark is { Done: true });
    }

    public async Task<MoveResult> RunAsync(CancellationToken ct)
    {
        await using var source = OpenSource();
        await using var target = await MoveTarget.OpenAsync(request.To, clock, ct);
        var mark = await source.WriteAsync(MoveMark.Read);
        Judge(mark, target);
        if (mark is { Done: true })
            return Finish(target);
        using var reader = source.OpenReader();
        SealedSecrets.Open(reader, request.Key, entropy, request.Path);
        await target.MigrateAsync(Now, ct);

        mark ??= new MoveMark(NewId(), request.Target, Done: false, Now);
        await source.WriteAsync(mark.Write);
        if (target.Move() is null)
            target.Begin(mark, request.Path, request.Storage.NodeName, Now);
        RefuseNodes(target);
        var swept = await SweepAsync(source);

        var rows = new MoveSource(reader);
        if (rows.Leased() is > 0 and var leased)
            throw new MoveRefusedException($"{leased} leases of another node are in {request.Path}; start a server on it once, and stop it.");
        var copy = new MoveCopy(rows, target, MovePlan.Read(reader, target.Connection), step);
        await target.MakeDaysAsync(rows.DaysOfEvents(), ct);
        copy.Run(ct);
        target.ContinueNumbers(rows.Sequences());
        target.Analyze();

        var counts = new MoveCheck(rows, target, copy.Tables, step).Run(ct);
        var secrets = SealedSecrets.Open(target.Connection, request.Key, entropy, request.Target);
        await source.WriteAsync((mark with { Done = true, At = Now }).Write);
        target.Set(MoveState.Done, Now);
        return new MoveResult(counts, swept, secrets, WasDone: false);
    }

    /// <summary>Gives up a move, so that a server starts on the source again.</summary>
    /// <param name="to">Needed once the move was done: no server may start there any more.</param>
    public static async Task UndoAsync(string path, PostgresDsn? to, StorageOptions storage, TimeProvider clock, ILogger<SqliteStore> log,
        CancellationToken ct)
    {
        await using var source = OpenSource(path, storage, clock, log);
        var mark = await source.WriteAsync(MoveMark.Read)
            ?? throw new MoveRefusedException($"{path} was not moved: a server can be started on it.");
        if (mark.Done)
            await TakeBackAsync(mark, path, to, clock, ct);
        await source.WriteAsync(MoveMark.Remove);
    }

    static async Task TakeBackAsync(MoveMark mark, string path, PostgresDsn? to, TimeProvider clock, CancellationToken ct)
    {
        if (to is null)
            throw new MoveRefusedException($"{path} was moved to {mark.To}. Name it with --to: no server may start on it afterwards.");
        await using var target = await MoveTarget.OpenAsync(to, clock, ct);
        if (target.Move() is not { } move || move.Id != mark.Id)
            throw new MoveRefusedException($"{to} does not hold the move of {path}, which went to {mark.To}. Name that one with --to.");
        if (target.WasUsed())
            throw new MoveRefusedException($"A server was started on {to} since: what it took in and sent is known there only. "
                + $"The move of {path} cannot be taken back; go on with {to}.");
        target.Set(MoveState.TakenBack, clock.GetUtcNow().Ms);
        // A server that joins now looks again and leaves; one that joined before is seen.
        if (target.WasUsed())
        {
            target.Set(MoveState.Done, clock.GetUtcNow().Ms);
            throw new MoveRefusedException($"A server is being started on {to}: the move of {path} cannot be taken back.");
        }
    }

    SqliteStore OpenSource() => OpenSource(request.Path, request.Storage, clock, log);

    static SqliteStore OpenSource(string path, StorageOptions storage, TimeProvider clock, ILogger<SqliteStore> log) => File.Exists(path)
        ? SqliteStore.Open(path, storage, clock, log, freeBytes: null, moves: true)
        : throw new MoveRefusedException($"There is no database {path}: give its path in --from sqlite:PATH.");

    long Now => clock.GetUtcNow().Ms;

    string NewId()
    {
        Span<byte> id = stackalloc byte[16];
        entropy.Fill(id);
        return Convert.ToHexStringLower(id);
    }

    /// <summary>Refuses what is neither a new move nor the same one going on.</summary>
    void Judge(MoveMark? mark, MoveTarget target)
    {
        RefuseNodes(target);
        if (mark is not null && mark.To != request.Target)
            throw new MoveRefusedException($"{request.Path} {(mark.Done ? "was" : "is being")} moved to {mark.To}, not to {request.Target}. "
                + $"Finish there, or give that move up: postrider move --undo --from sqlite:{request.Path}{(mark.Done ? $" --to {mark.To}" : "")}");
        if (target.Move() is { } move)
        {
            if (move.Id != mark?.Id)
                throw new MoveRefusedException($"{request.Target} holds a move of {move.Source} that "
                    + (move.State == MoveState.Done ? "was finished" : "was given up or is of another database")
                    + ". Give an empty database in --to, or another schema of this one (?schema=NAME).");
            return;
        }
        if (mark is { Done: true })
            throw new MoveRefusedException($"{request.Path} was moved to {mark.To}, and that database does not know of it: it was made anew or "
                + "restored. Restore it from a backup of after the move.");
        if (target.Filled() is { Count: > 0 } filled)
            throw new MoveRefusedException($"{request.Target} is not empty (rows in {string.Join(", ", filled)}): two stores cannot be put "
                + "together. Give an empty database in --to, or another schema of this one (?schema=NAME).");
    }

    static void RefuseNodes(MoveTarget target)
    {
        if (target.NodesAlive() is { Count: > 0 } nodes)
            throw new MoveRefusedException($"Servers are working on the target ({string.Join(", ", nodes)}). Stop them; give an empty database "
                + "in --to.");
    }

    MoveResult Finish(MoveTarget target)
    {
        // Killed between the two notes, or asked for once more.
        var wasDone = target.Move() is { State: MoveState.Done };
        if (!wasDone)
            target.Set(MoveState.Done, Now);
        return new MoveResult([], 0, 0, WasDone: true);
    }

    /// <summary>What a start does first: attempts that were cut are known as such, whatever their policy says of doubt.</summary>
    Task<int> SweepAsync(SqliteStore source)
    {
        var now = clock.GetUtcNow();
        return source.SweepAsync(Nobody, now, now + request.SettleAfter, CancellationToken.None);
    }
}
