using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>What of the log is asked for: the parameters of <c>/events</c> and <c>/events/stream</c>.</summary>
/// <param name="After">Null: not given.</param>
sealed record EventQuery(EventCursor? After, bool FromLatest, EventFilter Filter, int Limit, TimeSpan Wait)
{
    public const int MaxLimit = 500;
    const int DefaultLimit = 100;
    const int MaxWaitSeconds = 30;
    const string Latest = "latest";

    static readonly ParameterDoc[] Filters =
    [
        new("after", "next from the answer before, or latest for what happens from now on. Default: all that is kept."),
        new("type", "Names of events, separated by commas; email.* for all of mail."),
        new("email", "The id of a message."),
        new("batch", "The id of a batch."),
        new("tag", "Of messages with this tag."),
    ];

    public static readonly DocumentedParameters StreamParameters = new(Filters);

    public static readonly DocumentedParameters PullParameters = new(
    [
        .. Filters,
        new("limit", "1 to 500. Default 100."),
        new("wait", "Seconds to wait for something to happen, 0 to 30, where there is nothing yet. Default 0."),
    ]);

    /// <summary>Null: <paramref name="problem"/> says why.</summary>
    public static EventQuery? Read(IQueryCollection parameters, DocumentedParameters known, out Problem? problem)
    {
        var query = new ListQuery(parameters, known);
        var fromLatest = query.Text("after") == Latest;
        var after = fromLatest ? null
            : query.Cursor("after", static (ReadOnlySpan<char> text, out EventCursor place) =>
                EventCursor.TryParse(text.ToString(), out place));
        var types = query.Text("type")?.Split(',');
        var filter = new EventFilter
        {
            Types = types is null ? null : ReadTypes(types, "", query.Faults),
            Message = query.Value<MessageId>("email", MessageId.TryParse, "email must be the id of a message."),
            Batch = query.Value<MessageId>("batch", MessageId.TryParse, "batch must be the id of a batch."),
            Tag = query.Text("tag"),
        };
        var asked = new EventQuery(after, fromLatest, filter, query.Limit(DefaultLimit, MaxLimit),
            TimeSpan.FromSeconds(query.Number("wait", 0, MaxWaitSeconds, 0)));
        problem = query.Problem;
        return problem is null ? asked : null;
    }

    /// <summary>Those that exist, each once; the others are faults.</summary>
    public static List<string> ReadTypes(IEnumerable<string> names, string pointer, ShapeFaults faults)
    {
        var types = new List<string>();
        foreach (var (i, name) in names.Select(n => n.Trim()).Index())
        {
            if (!EventNames.IsPattern(name))
                faults.Invalid(pointer.Length == 0 ? "" : ShapeFaults.Below(pointer, i),
                    $"There is no event {(name.Length > 60 ? name[..60] : name)}; there are email.*, {string.Join(", ", EventNames.All)}.");
            else if (!types.Contains(name))
                types.Add(name);
        }
        return types;
    }
}
