using System.Globalization;
using Microsoft.Extensions.Primitives;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>A query parameter, for OpenAPI.</summary>
sealed record ParameterDoc(string Name, string Description);

/// <summary>The query parameters of a call.</summary>
sealed record DocumentedParameters(IReadOnlyList<ParameterDoc> All);

/// <summary>Reads the parameters of lists. What does not exist is refused: a misspelt filter would answer with everything.</summary>
static class QueryReader
{
    const int DefaultLimit = 20;
    const int MaxLimit = 100;
    const int MaxTextLength = 1_000;

    static readonly string States = string.Join(", ", Enum.GetNames<RecipientState>().Select(n => n.ToLowerInvariant()));

    static readonly ParameterDoc[] Paging =
    [
        new("limit", "1 to 100. Default 20."),
        new("after", "An id or next from the page before: what is older."),
        new("before", "An id: what is newer."),
    ];

    /// <summary>What lists take, for OpenAPI.</summary>
    public static readonly DocumentedParameters Parameters = new(
    [
        .. Paging,
        new("state", $"Any recipient in this state: {States}."),
        new("address", "To, cc or bcc this address."),
        new("tag", "With this tag."),
        new("batch", "Of this batch."),
        new("metadata", "NAME:VALUE."),
        new("subject", "With this in the subject, without regard to case."),
        new("from", "Accepted at this instant or later."),
        new("until", "Accepted before this instant."),
    ]);

    static readonly string Known = string.Join(", ", Parameters.All.Select(p => p.Name));

    public static readonly DocumentedParameters BatchParameters = new([new("emails", "true: list the messages."), .. Paging]);

    /// <summary>Null: <paramref name="problem"/> says why.</summary>
    public static MessageFilter? Read(IQueryCollection query, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var filter = new MessageFilter { Limit = DefaultLimit };
        problem = null;
        foreach (var (name, values) in query)
            if (name is "after" or "before")
            {
                if (!TryCursor(values, out var id))
                {
                    problem = ProblemCatalog.Make("invalid-cursor", $"{name} is not an id from an earlier page.");
                    return null;
                }
                // Pages go from new to old: what comes after an id is older than it.
                filter = name == "after" ? filter with { Before = id } : filter with { After = id };
            }
            else
                filter = Take(filter, name, values, faults);
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? filter : null;
    }

    static MessageFilter Take(MessageFilter filter, string name, StringValues values, ShapeFaults faults)
    {
        if (values is not [{ Length: <= MaxTextLength } value])
        {
            faults.Invalid("", $"The parameter {name} must be given once, with at most {MaxTextLength:N0} characters.");
            return filter;
        }
        switch (name)
        {
            case "state" when TryState(value, out var state): return filter with { State = state };
            case "state": faults.Invalid("", $"state must be one of {States}."); break;
            case "address": return filter with { Address = value };
            case "tag": return filter with { Tag = value };
            case "subject": return filter with { Subject = value };
            case "batch" when MessageId.TryParse(value, out var batch): return filter with { Batch = batch };
            case "batch": faults.Invalid("", "batch must be the id of a batch."); break;
            case "metadata" when value.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon:
                return filter with { Metadata = new MetadataEntry(value[..colon], value[(colon + 1)..]) };
            case "metadata": faults.Invalid("", "metadata must be NAME:VALUE."); break;
            case "from" when TimeText.TryParseInstant(value, out var from): return filter with { From = from };
            case "until" when TimeText.TryParseInstant(value, out var until): return filter with { Until = until };
            case "from" or "until": faults.Invalid("", $"{name} must be an instant with a zone, such as 2026-01-31T09:30:00Z."); break;
            case "limit" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
                && limit is >= 1 and <= MaxLimit:
                return filter with { Limit = limit };
            case "limit": faults.Invalid("", $"limit must be 1 to {MaxLimit}."); break;
            default: faults.Add("", "unknown-field", $"There is no parameter {name}; there are {Known}."); break;
        }
        return filter;
    }

    static bool TryCursor(StringValues values, out MessageId id)
    {
        id = default;
        return values is [{ } text] && MessageId.TryParse(text, out id);
    }

    static bool TryState(string text, out RecipientState state) =>
        Enum.TryParse(text, ignoreCase: true, out state) && char.IsAsciiLetter(text[0]) && Enum.IsDefined(state);
}
