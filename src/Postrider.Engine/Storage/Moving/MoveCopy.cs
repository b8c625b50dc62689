namespace Postrider.Storage.Moving;

/// <summary>Copies table after table in pieces, from where it stopped.</summary>
sealed class MoveCopy(MoveSource source, MoveTarget target, IReadOnlyList<MovedTable> tables, Action<MoveStep> step)
{
    // A piece is one transaction: large enough that its commit does not count, small enough for memory.
    const int RowsOfPiece = 5_000;
    const long BytesOfPiece = 16 << 20;

    public IReadOnlyList<MovedTable> Tables => tables;

    public void Run(CancellationToken ct)
    {
        foreach (var table in tables)
        {
            var progress = target.Progress(table.Name);
            if (!progress.Done)
                Copy(table, progress, ct);
        }
    }

    void Copy(MovedTable table, TableProgress progress, CancellationToken ct)
    {
        var total = source.Count(table.Name);
        var numbers = new EventNumbers(progress.NewestEvent);
        var (rows, derived, bytes) = (new List<object?[]>(RowsOfPiece), new DerivedRows(), 0L);
        var derive = MoveSource.Derive(table, derived);
        foreach (var row in source.Read(table, progress.After, numbers))
        {
            rows.Add(row);
            derive(row);
            bytes += SizeOf(row);
            if (rows.Count < RowsOfPiece && bytes < BytesOfPiece)
                continue;
            Write(done: false);
            ct.ThrowIfCancellationRequested();
        }
        Write(done: true);

        void Write(bool done)
        {
            var isEvents = table.Name == "events";
            progress = new TableProgress(
                rows is [.., var last] ? MoveSource.KeyOf(table, last, isEvents ? numbers.Runs[^1].LastOld : null) : progress.After,
                progress.Rows + rows.Count, isEvents && numbers.Runs is [.., var run] ? run.Last : progress.NewestEvent, done);
            target.Write(table, rows, derived, numbers.Runs, progress);
            step(new MoveStep("copy", table.Name, progress.Rows, total));
            rows.Clear();
            derived.Clear();
            numbers.Runs.Clear();
            bytes = 0;
        }
    }

    static long SizeOf(object?[] row)
    {
        var size = 0L;
        foreach (var value in row)
            size += value switch { byte[] bytes => bytes.Length, string text => text.Length * 2, _ => 8 };
        return size;
    }
}
