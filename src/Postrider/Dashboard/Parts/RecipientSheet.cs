using Postrider.Batches;

namespace Postrider.Dashboard.Parts;

/// <summary>The beginning of a file of recipients, and which of its columns is what: as the file says, or as people choose.</summary>
public sealed class RecipientSheet
{
    const int LinesShown = 3;

    RecipientSheet(IReadOnlyList<string> columns, bool hasHeader, IReadOnlyList<IReadOnlyList<string>> first)
    {
        (Columns, HasHeader, First) = (columns, hasHeader, first);
        var (email, name) = ReadDestinations.Guess(columns);
        (Email, Name) = (email < 0 ? "" : columns[email], name < 0 ? "" : columns[name]);
        Fields = [.. columns];
    }

    public IReadOnlyList<string> Columns { get; }

    /// <summary>The first line names the columns; else it is a recipient already.</summary>
    public bool HasHeader { get; }

    /// <summary>What the first lines say.</summary>
    public IReadOnlyList<IReadOnlyList<string>> First { get; }

    /// <summary>The column of the addresses; empty: not known.</summary>
    public string Email { get; set; }

    /// <summary>The column of the display names; empty: there is none.</summary>
    public string Name { get; set; }

    /// <summary>What each column is called in templates.</summary>
    public string[] Fields { get; }

    /// <summary>As it is read by: null where the first line says it.</summary>
    public IReadOnlyList<string>? Header => HasHeader ? null : Columns;

    /// <summary>Columns that become data.</summary>
    public IEnumerable<int> DataColumns =>
        Enumerable.Range(0, Columns.Count).Where(i => Columns[i] != Email && Columns[i] != Name && Columns[i].Length > 0);

    /// <summary>The column of each field, where it is not called so.</summary>
    public Dictionary<string, string> Map()
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal) { ["email"] = Email };
        if (Name.Length > 0)
            map["name"] = Name;
        foreach (var i in DataColumns)
            if (Fields[i].Trim() is { Length: > 0 } field && field != Columns[i])
                map.TryAdd(field, Columns[i]);
        return map;
    }

    /// <summary>Null where the text is empty. A first line with an address in it is no header.</summary>
    public static async Task<RecipientSheet?> ReadAsync(TextReader text, CancellationToken ct)
    {
        var reader = new CsvReader(text);
        if (await reader.ReadAsync(ct) is not { } head)
            return null;
        var hasHeader = !head.Fields.Any(field => field.Contains('@', StringComparison.Ordinal));
        var lines = new List<IReadOnlyList<string>>();
        if (!hasHeader)
            lines.Add(head.Fields);
        while (lines.Count < LinesShown && await reader.ReadAsync(ct) is { IsBroken: false } record)
            if (!record.IsBlank)
                lines.Add(record.Fields);
        return new RecipientSheet(hasHeader ? [.. head.Fields.Select(field => field.Trim())] : Named(head.Fields), hasHeader, lines);
    }

    static string[] Named(IReadOnlyList<string> fields)
    {
        var email = fields.Index().First(field => field.Item.Contains('@', StringComparison.Ordinal)).Index;
        return [.. fields.Index().Select(field => field.Index == email ? "email" : $"column{field.Index + 1}")];
    }
}
