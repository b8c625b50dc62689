using Microsoft.AspNetCore.Components;

namespace Postrider.Dashboard.Parts;

/// <summary>A page of a list.</summary>
/// <param name="Next">Where the next page begins; null at the end.</param>
public readonly record struct ListPage<TRow>(IReadOnlyList<TRow> Rows, string? Next);

/// <summary>A list that goes from new to old, page by page by key, and follows what happens without moving under the reader: rows that are
/// there change in place, and new ones wait above until they are asked for.</summary>
sealed partial class LiveList<TRow>
{
    /// <summary>Beyond it a page in the browser only grows: who reads that far narrows the search.</summary>
    const int MaxRows = 1_000;

    readonly List<TRow> _rows = [];
    List<TRow> _newer = [];
    string? _next;
    object? _shown;
    bool _isFilled;

    [Inject]
    ListPlaces Places { get; set; } = null!;

    /// <summary>What is listed, for who does not see it.</summary>
    [Parameter, EditorRequired]
    public string Caption { get; set; } = "";

    /// <summary>What the list is of; another one begins it anew.</summary>
    [Parameter]
    public object? Query { get; set; }

    /// <summary>The list goes from old to new: what is new comes below, once the end is shown.</summary>
    [Parameter]
    public bool IsOldestFirst { get; set; }

    /// <summary>Reads up to <see cref="ListPage.Size"/> rows from a place on; null: from the newest.</summary>
    [Parameter, EditorRequired]
    public Func<string?, CancellationToken, Task<ListPage<TRow>>> Load { get; set; } = null!;

    [Parameter, EditorRequired]
    public Func<TRow, object> Key { get; set; } = null!;

    /// <summary>The <c>th</c> of each column.</summary>
    [Parameter, EditorRequired]
    public RenderFragment Head { get; set; } = null!;

    /// <summary>The <c>td</c> of each column; the first has the row's link.</summary>
    [Parameter, EditorRequired]
    public RenderFragment<TRow> Row { get; set; } = null!;

    /// <summary>What to do where there is nothing.</summary>
    [Parameter, EditorRequired]
    public RenderFragment Empty { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (!Equals(_shown, Query))
        {
            (_shown, _isFilled, _next, _newer) = (Query, false, null, []);
            _rows.Clear();
        }
        var page = await Load(null, ct);
        if (!_isFilled || _rows.Count == 0)
        {
            (_isFilled, _next) = (true, page.Next);
            _rows.Clear();
            _rows.AddRange(page.Rows);
            var before = Places.RowsOf(Place);
            while (_next is not null && _rows.Count < before)
                await AddPageAsync(ct);
            return;
        }
        var places = _rows.Index().ToDictionary(row => Key(row.Item), row => row.Index);
        _newer = [];
        foreach (var row in page.Rows)
            if (places.TryGetValue(Key(row), out var place))
                _rows[place] = row;
            else
                _newer.Add(row);
        if (IsOldestFirst)
        {
            // Below the rows that are there nothing moves under the reader.
            _rows.AddRange(_newer);
            _newer = [];
            if (_rows.Count <= page.Rows.Count)
                _next = page.Next;
        }
    }

    async Task ShowNewerAsync()
    {
        if (_newer.Count < ListPage.Size)
        {
            _rows.InsertRange(0, _newer);
            _newer = [];
            return;
        }
        // More than a page came meanwhile, and what lies between is not known.
        (_isFilled, _newer) = (false, []);
        await LookAsync();
    }

    /// <summary>What the list is remembered by.</summary>
    string Place => $"{Caption} {Pages.Uri}";

    Task MoreAsync() => LookAsync(async ct =>
    {
        await AddPageAsync(ct);
        Places.Note(Place, _rows.Count);
    });

    async Task AddPageAsync(CancellationToken ct)
    {
        var page = await Load(_next, ct);
        _rows.AddRange(page.Rows);
        _next = _rows.Count >= MaxRows ? null : page.Next;
    }
}
