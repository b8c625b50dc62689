using Microsoft.AspNetCore.WebUtilities;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>A screen of one list: what its address asks for is what is listed, page by page by key.</summary>
public abstract class ListPart : StillPart
{
    /// <summary>The address asks for some, not for all.</summary>
    private protected bool IsFiltered { get; private set; }

    /// <summary>What the address asks for and cannot be; null: nothing.</summary>
    private protected Problem? Unread { get; set; }

    /// <summary>Another one has the list begin anew.</summary>
    private protected int Version { get; set; }

    protected override void OnParametersSet()
    {
        // Forms send the fields that were left empty, too.
        var asked = QueryHelpers.ParseQuery(new Uri(Pages.Uri).Query).Where(p => p.Value.ToString().Trim().Length > 0)
            .ToDictionary(p => p.Key, p => p.Value);
        IsFiltered = asked.Count > 0;
        Ask(new QueryCollection(asked));
    }

    /// <summary>Reads what is asked for.</summary>
    private protected virtual void Ask(IQueryCollection query)
    {
    }
}

/// <summary>Makes pages of lists.</summary>
public static class ListPage
{
    public const int Size = 50;

    /// <summary>One more than is shown tells whether there is another page.</summary>
    public const int Wanted = Size + 1;

    /// <param name="found">Up to <see cref="Wanted"/>.</param>
    /// <param name="place">Of a row, behind which the next page begins.</param>
    public static ListPage<TRow> Of<TRow>(IReadOnlyList<TRow> found, Func<TRow, string> place) =>
        new([.. found.Take(Size)], found.Count > Size ? place(found[Size - 1]) : null);

    /// <summary>A place that is an id; null: from the newest.</summary>
    public static MessageId? Id(string? place) => place is not null && MessageId.TryParse(place, out var id) ? id : null;
}
