using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
using Microsoft.JSInterop;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>Who mail goes to: a file, pasted lines, or a stored list.</summary>
sealed partial class RecipientSource
{
    const long MaxFileBytes = 200_000_000;

    /// <summary>Lines looked at for addresses that come twice: they are kept in memory.</summary>
    const int MaxCompared = 100_000;
    const string File = "file";
    const string Pasted = "pasted";
    const string Stored = "list";
    const string Example = "email,name,city\nann@example.com,Ann,Bonn";

    static readonly (string Way, string Title)[] Ways = [(File, "File (CSV)"), (Pasted, "Paste"), (Stored, "Stored list")];

    string _way = File;
    IBrowserFile? _file;
    string _pasted = "";
    string _list = "";
    IReadOnlyList<RecipientList> _lists = [];

    /// <summary>Told when it is another file or list, or its columns mean something else.</summary>
    [Parameter]
    public EventCallback Changed { get; set; }

    /// <summary>They are to be stored; a list that is there is no choice.</summary>
    [Parameter]
    public bool IsOwn { get; set; }

    [Inject]
    IListStore Lists { get; set; } = null!;

    [Inject]
    ReadDestinations Destinations { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    /// <summary>What is allowed and perhaps not meant: addresses that come twice; null: nothing.</summary>
    public string? Remark { get; private set; }

    /// <summary>What is wrong; null: nothing that is known.</summary>
    public Problem? Problem { get; private set; }

    /// <summary>Null: nothing was read, or a list is chosen.</summary>
    public RecipientSheet? Sheet { get; private set; }

    /// <summary>The stored list; null: the recipients come with the batch.</summary>
    public MessageId? List => _way == Stored && MessageId.TryParse(_list, out var id) ? id : null;

    /// <summary>From the beginning.</summary>
    TextReader Open() => _way == Pasted ? new StringReader(_pasted) : ReadDestinations.Open(_file!.OpenReadStream(MaxFileBytes));

    /// <summary>Whether there are recipients to read; else <see cref="Problem"/> says what is missing.</summary>
    public bool IsReady()
    {
        Problem = this switch
        {
            { _way: Stored, List: null } => Missing("Choose the list to send to."),
            { _way: Stored } => null,
            { Sheet: null } => Problem ?? Missing(_way == File ? "Choose a file with the recipients." : "Paste the recipients."),
            { Sheet.Email: "" } => Missing("Choose the column that has the addresses."),
            _ => null,
        };
        // It is told here, and whoever asks draws himself anew.
        StateHasChanged();
        return Problem is null;
    }

    static readonly Problem Unread = ProblemCatalog.Make(
        "bad-csv", "The file could not be read to its end, so nothing was sent or changed. Choose it again, and try once more.");

    static Problem Missing(string detail) => ProblemCatalog.Make("no-recipients", detail);

    /// <summary>Stores them; what cannot be sent to is left out.</summary>
    internal async Task<(UploadResult? Result, Problem? Problem)> UploadAsync(
        DestinationUpload upload, IDestinationSink sink, CancellationToken ct)
    {
        try
        {
            using var text = Open();
            return await upload.CsvAsync(text, Sheet!.Map(), Sheet.Header, sink, ct);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or JSException or JSDisconnectedException)
        {
            return (null, Unread);
        }
    }

    /// <summary>The first who can be sent to; null with the fault of the first line, or of the whole.</summary>
    public async Task<(StoredDestination? Destination, Problem? Problem)> FirstAsync(CancellationToken ct)
    {
        if (List is { } list)
            return await Lists.ReadAsync(Viewer.Tenant, list, 0, 1, ct) is [var stored, ..]
                ? (stored, null) : (null, Missing("The list is empty."));
        using var text = Open();
        Problem? problem = null;
        StoredDestination? first = null;
        var times = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        await foreach (var line in Destinations.CsvAsync(
            text, Sheet!.Map(), null, Sheet.Header, null, unreadable => problem = unreadable, ct))
        {
            if (line.Destination is { } destination)
            {
                first ??= destination;
                times[destination.Email] = times.GetValueOrDefault(destination.Email) + 1;
                if (times.Count == MaxCompared)
                    break;
            }
            else if (line.Fault is { } fault)
                problem ??= ProblemCatalog.Make("invalid-address", $"Line {fault.N}: {fault.Detail}");
        }
        Remark = Repeated([.. times.Where(one => one.Value > 1).Select(one => one.Key)]);
        StateHasChanged();
        return first is null ? (null, problem ?? Missing("No line names a recipient.")) : (first, null);
    }

    static string? Repeated(IReadOnlyList<string> addresses) => addresses switch
    {
        [] => null,
        [var only] => $"1 address comes more than once: {only}. Each of its lines gets a mail.",
        [var one, ..] => $"{Numbers.Count(addresses.Count)} addresses come more than once, {one} for one. Each of their lines gets a mail.",
    };

    async Task ChooseAsync(string way)
    {
        (_way, Problem, Remark) = (way, null, null);
        if (way == Stored)
            _lists = await Lists.ListAsync(Viewer.Tenant, null, 100, Viewer.Ended);
        else
            await LookAsync(way == File ? _file is not null : _pasted.Length > 0);
        await ToldAsync();
    }

    async Task TakeFileAsync(InputFileChangeEventArgs change)
    {
        _file = change.File;
        await LookAsync(true);
        await ToldAsync();
    }

    async Task TakeTextAsync(string text)
    {
        _pasted = text;
        await LookAsync(text.Length > 0);
        await ToldAsync();
    }

    async Task LookAsync(bool isThere)
    {
        (Sheet, Problem, Remark) = (null, null, null);
        if (!isThere)
            return;
        if (_way == File && _file!.Size > MaxFileBytes)
        {
            Problem = ProblemCatalog.Make("too-large",
                $"{_file.Name} has more than {Numbers.Bytes(MaxFileBytes)}. Send it by the API: POST /batches/{{id}}/destinations takes any length.");
            return;
        }
        using var text = Open();
        Sheet = await RecipientSheet.ReadAsync(text, Viewer.Ended);
        if (Sheet is null)
            Problem = Missing("There is nothing in it.");
    }

    Task ToldAsync() => Changed.InvokeAsync();
}
