using System.Text;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;

namespace Postrider.Dashboard.Parts;

/// <summary>A field for texts of any length. What is typed may be longer than one message of the page's connection, so the browser only
/// tells that it changed, and is asked for it, which comes in pieces.</summary>
sealed partial class LongText : IDisposable
{
    /// <summary>In UTF-16 units: the browser takes no more.</summary>
    public const int MaxLength = 2_000_000;

    ElementReference _element;
    string _known = "";     // as last read, or set from outside
    (string Value, int Edition) _given = ("", 0);
    string _shown = "";     // what the element began with
    int _version;           // another element, which begins with another text

    [Parameter, EditorRequired]
    public string Id { get; set; } = "";

    [Parameter]
    public string Value { get; set; } = "";

    /// <summary>Another one begins anew with <see cref="Value"/>, whatever was typed.</summary>
    [Parameter]
    public int Edition { get; set; }

    /// <summary>Told with every reading that finds something else.</summary>
    [Parameter]
    public EventCallback<string> ValueChanged { get; set; }

    /// <summary>Told a moment after typing has paused.</summary>
    [Parameter]
    public EventCallback OnTyped { get; set; }

    [Parameter]
    public int Rows { get; set; } = 8;

    [Parameter]
    public string? Placeholder { get; set; }

    /// <summary>Nothing in it is checked for spelling, and lines are not wrapped.</summary>
    [Parameter]
    public bool IsCode { get; set; }

    [Parameter]
    public bool IsReadOnly { get; set; }

    [Parameter]
    public bool IsFaulty { get; set; }

    [Parameter]
    public string? DescribedBy { get; set; }

    /// <summary>Of the form that it stands in, which reads it before anything is done with it.</summary>
    [CascadingParameter]
    LongTexts? Form { get; set; }

    [Inject]
    IJSRuntime Scripts { get; set; } = null!;

    protected override void OnInitialized() => Form?.Add(this);

    protected override void OnParametersSet()
    {
        var isOtherEdition = Edition != _given.Edition;
        if (_given == (Value, Edition))
            return;
        _given = (Value, Edition);
        if (Value == _known && !isOtherEdition)
            return;
        (_known, _shown) = (Value, Value);
        _version++;
    }

    /// <summary>What it says now: the last letters may be newer than the last change told.</summary>
    public async Task<string> ReadAsync()
    {
        await using var reference = await Scripts.InvokeAsync<IJSStreamReference>("postrider.text", _element);
        // One more byte comes before it, as of nothing no stream is made.
        await using var stream = await reference.OpenReadStreamAsync(MaxLength * 4L + 1);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var text = (await reader.ReadToEndAsync())[1..];
        if (text != _known)
        {
            _known = text;
            await ValueChanged.InvokeAsync(text);
        }
        return text;
    }

    /// <summary>Puts the cursor there.</summary>
    public ValueTask GoToAsync(int line, int column) => Scripts.InvokeVoidAsync("postrider.goTo", _element, line, column);

    async Task TypedAsync()
    {
        await ReadAsync();
        await OnTyped.InvokeAsync();
    }

    public void Dispose() => Form?.Remove(this);
}

/// <summary>The long texts of one form.</summary>
sealed class LongTexts
{
    readonly List<LongText> _all = [];

    public void Add(LongText text) => _all.Add(text);

    public void Remove(LongText text) => _all.Remove(text);

    /// <summary>Sees to it that whoever holds their values has the last letter typed.</summary>
    public async Task ReadAsync()
    {
        foreach (var text in _all.ToList())
            await text.ReadAsync();
    }
}

/// <summary>Events of the dashboard's own script.</summary>
[EventHandler("onsettled", typeof(EventArgs))]
public static class EventHandlers;
