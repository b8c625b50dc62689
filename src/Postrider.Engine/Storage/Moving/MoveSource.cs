using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Postrider.Messages;
using Postrider.Storage.Sqlite;
using SQLitePCL;

namespace Postrider.Storage.Moving;

/// <summary>Reads the rows of the SQLite side as they are to be on the other one.</summary>
sealed class MoveSource(SqliteConnection connection)
{
    /// <summary>Every one of them is older than any transaction of the target, so that its feed tells them first.</summary>
    const long MovedTransaction = 0;

    readonly sqlite3 _db = connection.Handle!;

    public long Count(string table)
    {
        using var count = new Statement(_db, $"SELECT count(*) FROM {table} {Where(table, after: false)}");
        return count.With().Scalar() ?? 0;
    }

    /// <summary>Rows behind a key, in its order. The array is the caller's.</summary>
    /// <param name="after">What <see cref="KeyOf"/> said; null: from the first one.</param>
    /// <param name="numbers">For events.</param>
    public IEnumerable<object?[]> Read(MovedTable table, string? after, EventNumbers numbers)
    {
        var columns = table.Columns.Select(c => c.Name).ToList();
        using var select = new Statement(_db, $"""
            SELECT {string.Join(", ", columns.Select(c => Expression(table.Name, c)))} FROM {table.Name}
            {Where(table.Name, after is not null)}
            {(after is null ? "" : $"({string.Join(", ", table.Key)}) > ({string.Join(", ", table.Key.Select(_ => "?"))})")}
            ORDER BY {string.Join(", ", table.Key)}
            """);
        select.With();
        if (after is not null)
            Bind(select, after);
        var finish = Finish(table.Name, columns, numbers);
        while (select.Step())
        {
            var row = new object?[columns.Count];
            for (var i = 0; i < row.Length; i++)
                row[i] = Value(select, i);
            finish(row);
            yield return row;
        }
    }

    // The mark of the move is the source's own.
    static string Where(string table, bool after) =>
        (table == "installation" ? $"WHERE name <> '{MoveMark.Name}'" : after ? "WHERE" : "")
        + (table == "installation" && after ? " AND " : "");

    /// <summary>Columns that the source has not are worked out from others.</summary>
    static string Expression(string table, string column) => (table, column) switch
    {
        ("recipients", "hash") => "(SELECT m.tenant FROM messages m WHERE m.id = recipients.message)",
        ("events", "xid") => MovedTransaction.ToString(CultureInfo.InvariantCulture),
        _ => column,
    };

    static Action<object?[]> Finish(string table, List<string> columns, EventNumbers numbers)
    {
        int At(string column) => columns.IndexOf(column);
        switch (table)
        {
            case "recipients":
                var (hash, address) = (At("hash"), At("address"));
                return row => row[hash] = SearchHash(row[hash], (string)row[address]!);
            case "events":
                var (id, at, message) = (At("id"), At("at"), At("message"));
                return row => row[id] = numbers.Next((long)row[id]!, (long)row[at]!, (long)row[message]!);
            default:
                return _ => { };
        }
    }

    static long SearchHash(object? tenant, string address) =>
        tenant is long number && StoredAddress.TryParse(address, out var parsed)
            ? StoredAddress.SearchHash(new TenantId((int)number), parsed)
            : 0L;

    /// <summary>What adds the rows that other tables get because of one of this table.</summary>
    public static Action<object?[]> Derive(MovedTable table, DerivedRows derived)
    {
        var columns = table.Columns.Select(c => c.Name).ToList();
        int At(string column) => columns.IndexOf(column);
        switch (table.Name)
        {
            case "recipients":
                var (state, message, n) = (At("state"), At("message"), At("n"));
                return row =>
                {
                    if ((RecipientState)(long)row[state]! is RecipientState.Held or >= RecipientState.Bounced)
                        derived.Ended.Add([row[state], row[message], row[n]]);
                };
            case "messages":
                var (tenant, id, tags) = (At("tenant"), At("id"), At("tags"));
                return row =>
                {
                    if (row[tags] is not string text)
                        return;
                    var of = new TenantId((int)(long)row[tenant]!);
                    derived.Tagged.AddRange(LabelText.ReadTags(text).Select(tag => StoredAddress.SearchHash(of, tag)).Distinct()
                        .Select(hash => new[] { hash, row[id] }));
                };
            default:
                return _ => { };
        }
    }

    /// <summary>Days (since 1970) on which there are events, oldest first.</summary>
    public List<long> DaysOfEvents()
    {
        using var select = new Statement(_db, "SELECT DISTINCT at / 86400000 FROM events ORDER BY 1");
        var days = new List<long>();
        select.With();
        while (select.Step())
            days.Add(select.Long(0));
        return days;
    }

    /// <summary>The highest number that was ever given to a row of a table that never gives one again.</summary>
    public Dictionary<string, long> Sequences()
    {
        using var select = new Statement(_db, "SELECT name, seq FROM sqlite_sequence");
        var sequences = new Dictionary<string, long>();
        select.With();
        while (select.Step())
            sequences[select.Text(0)] = select.Long(1);
        return sequences;
    }

    /// <summary>Leases that nobody has swept: none may be left.</summary>
    public long Leased()
    {
        using var count = new Statement(_db, "SELECT count(*) FROM queue WHERE state = 2");
        return count.With().Scalar() ?? 0;
    }

    static object? Value(Statement row, int column) => row.TypeOf(column) switch
    {
        raw.SQLITE_NULL => null,
        raw.SQLITE_INTEGER => row.Long(column),
        raw.SQLITE_TEXT => StoredText.Storable(row.Text(column)),
        raw.SQLITE_BLOB => row.BlobOrNull(column),
        _ => throw new InvalidDataException("A number with a fraction is in no table of ours."),
    };

    /// <summary>Where a row is in the order of its table, for <see cref="Read"/> to go on behind it.</summary>
    /// <param name="oldNumber">An event's.</param>
    public static string KeyOf(MovedTable table, object?[] row, long? oldNumber) => JsonSerializer.Serialize(
        table.Key.Select(key => Tagged(oldNumber ?? row[table.Columns.Index().First(c => c.Item.Name == key).Index])));

    static string Tagged(object? value) => value switch
    {
        long number => string.Create(CultureInfo.InvariantCulture, $"i{number}"),
        string text => $"t{text}",
        byte[] bytes => $"b{Convert.ToBase64String(bytes)}",
        _ => "n",
    };

    static void Bind(Statement select, string after)
    {
        foreach (var value in JsonSerializer.Deserialize<string[]>(after)!)
        {
            switch (value[0])
            {
                case 'i':
                    select.Add(long.Parse(value.AsSpan(1), CultureInfo.InvariantCulture));
                    break;
                case 't':
                    select.AddText(value[1..]);
                    break;
                case 'b':
                    select.AddBlob(Convert.FromBase64String(value[1..]));
                    break;
                default:
                    select.AddNull();
                    break;
            }
        }
    }
}
