using System.Globalization;
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
    public static EventQuery? Read(IQueryCollection query, DocumentedParameters parameters, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var asked = new EventQuery(null, false, EventFilter.All, DefaultLimit, TimeSpan.Zero);
        problem = null;
        foreach (var (name, values) in query)
        {
            if (!parameters.All.Any(p => p.Name == name))
                faults.Add("", "unknown-field",
                    $"There is no parameter {name}; there are {string.Join(", ", parameters.All.Select(p => p.Name))}.");
            else if (values is not [{ Length: > 0 and <= 1_000 } value])
                faults.Invalid("", $"The parameter {name} must be given once, with 1 to 1,000 characters.");
            else if (name == "after" && value != Latest && !EventCursor.TryParse(value, out _))
                problem = ProblemCatalog.Make("invalid-cursor", "after is not next from an earlier answer, unchanged. Begin again without it.");
            else
                asked = asked.With(name, value, faults);
        }
        problem ??= faults.Any ? faults.ToProblem() : null;
        return problem is null ? asked : null;
    }

    EventQuery With(string name, string value, ShapeFaults faults)
    {
        switch (name)
        {
            case "after" when EventCursor.TryParse(value, out var cursor): return this with { After = cursor };
            case "after": return this with { FromLatest = true };
            case "type": return this with { Filter = Filter with { Types = ReadTypes(value.Split(','), "", faults) } };
            case "email" when MessageId.TryParse(value, out var id): return this with { Filter = Filter with { Message = id } };
            case "batch" when MessageId.TryParse(value, out var id): return this with { Filter = Filter with { Batch = id } };
            case "email" or "batch": faults.Invalid("", $"{name} must be the id of {(name == "email" ? "a message" : "a batch")}."); break;
            case "tag": return this with { Filter = Filter with { Tag = value } };
            case "limit" when TryNumber(value, 1, MaxLimit, out var limit): return this with { Limit = limit };
            case "limit": faults.Invalid("", $"limit must be 1 to {MaxLimit}."); break;
            case "wait" when TryNumber(value, 0, MaxWaitSeconds, out var wait): return this with { Wait = TimeSpan.FromSeconds(wait) };
            case "wait": faults.Invalid("", $"wait must be 0 to {MaxWaitSeconds} seconds."); break;
        }
        return this;
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

    static bool TryNumber(string text, int least, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= least && number <= most;
}
