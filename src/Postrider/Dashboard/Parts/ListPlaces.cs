namespace Postrider.Dashboard.Parts;

/// <summary>How far each list of an open page was shown, for who comes back to it.</summary>
sealed class ListPlaces
{
    /// <summary>Lists that are remembered; then all are forgotten.</summary>
    const int MaxLists = 100;

    readonly Dictionary<string, int> _rows = new(StringComparer.Ordinal);

    /// <summary>0: as far as a list begins with.</summary>
    public int RowsOf(string list) => _rows.GetValueOrDefault(list);

    public void Note(string list, int rows)
    {
        if (_rows.Count >= MaxLists)
            _rows.Clear();
        _rows[list] = rows;
    }
}
