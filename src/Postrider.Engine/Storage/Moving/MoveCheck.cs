using NpgsqlTypes;

namespace Postrider.Storage.Moving;

/// <summary>Reads both sides again, and compares how many rows each table has and the sums of their hashes.</summary>
sealed class MoveCheck(MoveSource source, MoveTarget target, IReadOnlyList<MovedTable> tables, Action<MoveStep> step)
{
    static readonly MovedColumn[] EndedColumns =
        [new("state", NpgsqlDbType.Smallint), new("message", NpgsqlDbType.Bigint), new("n", NpgsqlDbType.Integer)];

    static readonly MovedColumn[] TaggedColumns = [new("hash", NpgsqlDbType.Bigint), new("message", NpgsqlDbType.Bigint)];

    readonly RowSum _ended = new();
    readonly RowSum _tagged = new();
    readonly List<string> _faults = [];
    readonly List<(string Table, long Rows)> _counts = [];

    /// <summary>Rows of each table.</summary>
    /// <exception cref="MoveRefusedException">Something differs.</exception>
    public IReadOnlyList<(string Table, long Rows)> Run(CancellationToken ct)
    {
        foreach (var table in tables)
            Compare(table.Name, table.Columns, SumOf(table, ct), ct);
        Compare("ended", EndedColumns, _ended, ct);
        Compare("tagged", TaggedColumns, _tagged, ct);
        if (_faults.Count > 0)
            throw new MoveRefusedException($"What arrived is not what left: {string.Join("; ", _faults)}. Nothing is sent from either side. "
                + "Give the move up (postrider move --undo …), empty the target, and move again; the source was not changed.");
        return _counts;
    }

    /// <summary>Of the source, and of what follows from its rows.</summary>
    RowSum SumOf(MovedTable table, CancellationToken ct)
    {
        var (sum, derived, numbers) = (new RowSum(), new DerivedRows(), new EventNumbers(0));
        var derive = MoveSource.Derive(table, derived);
        foreach (var row in source.Read(table, after: null, numbers))
        {
            sum.Add(row);
            derive(row);
            derived.Ended.ForEach(r => _ended.Add(r));
            derived.Tagged.ForEach(r => _tagged.Add(r));
            derived.Clear();
            numbers.Runs.Clear();
            if (sum.Rows % 1000 == 0)
                ct.ThrowIfCancellationRequested();
        }
        return sum;
    }

    void Compare(string table, IReadOnlyList<MovedColumn> columns, RowSum expected, CancellationToken ct)
    {
        var arrived = target.Sum(table, columns, rows => step(new MoveStep("verify", table, rows, expected.Rows)), ct);
        step(new MoveStep("verify", table, arrived.Rows, expected.Rows));
        _counts.Add((table, arrived.Rows));
        if (arrived.Rows != expected.Rows)
            _faults.Add($"{table} has {arrived.Rows} rows of {expected.Rows}");
        else if (arrived.Sum != expected.Sum)
            _faults.Add($"{table} has rows that differ");
    }
}
