using System.Globalization;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>Reads the parameters of a call. What does not exist is refused, as a misspelt filter would answer with everything; what is
/// wrong is told all at once.</summary>
sealed class ListQuery
{
    public const int DefaultLimit = 20;
    public const int MaxLimit = 100;

    /// <summary>Of a value, in UTF-16 units.</summary>
    const int MaxTextLength = 1_000;

    /// <summary>Of lists that have pages and nothing else.</summary>
    public static readonly DocumentedParameters Pages = new(
        [new("limit", "1 to 100. Default 20."), new("after", "next of the page before: what is older.")]);

    readonly IQueryCollection _query;
    Problem? _badCursor;

    public ListQuery(IQueryCollection query, DocumentedParameters parameters)
    {
        _query = query;
        parameters.Check(query.Keys, Faults);
        foreach (var parameter in parameters.All.Where(p => !p.IsRepeated))
            if (query[parameter.Name] is not ([] or [{ Length: <= MaxTextLength }]))
                Faults.Invalid("", $"The parameter {parameter.Name} must be given once, with at most {MaxTextLength:N0} characters.");
    }

    /// <summary>Where what is wrong with a value is noted, but for cursors.</summary>
    public ShapeFaults Faults { get; } = new();

    public delegate bool Parser<T>(ReadOnlySpan<char> text, out T value) where T : struct;

    /// <summary>What is wrong; null: nothing. Ask when all has been read.</summary>
    public Problem? Problem => _badCursor ?? (Faults.Any ? Faults.ToProblem() : null);

    /// <summary>Null: not given, or not to be read at all.</summary>
    public string? Text(string name) => _query[name] is [{ Length: <= MaxTextLength } text] ? text : null;

    public int Limit(int otherwise = DefaultLimit, int most = MaxLimit) => Number("limit", 1, most, otherwise);

    public int Number(string name, int least, int most, int otherwise)
    {
        if (Text(name) is not { } text)
            return otherwise;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Faults.Invalid("", $"{name} must be {least} to {most:N0}.");
        return otherwise;
    }

    /// <summary>Null: not given, or wrong.</summary>
    public T? Value<T>(string name, Parser<T> parse, string fault) where T : struct
    {
        if (Text(name) is not { } text)
            return null;
        if (parse(text, out var value))
            return value;
        Faults.Invalid("", fault);
        return null;
    }

    /// <summary>False: not given.</summary>
    public bool Flag(string name) => Value<bool>(name, static (ReadOnlySpan<char> text, out bool flag) =>
        (flag = text is "true") || text is "false", $"{name} must be true or false.") ?? false;

    /// <summary>Whether all is wanted as a file.</summary>
    public bool IsCsv() => Value<bool>("format", static (ReadOnlySpan<char> text, out bool isCsv) =>
        (isCsv = text is "csv") || text is "json", "format must be csv or json.") ?? false;

    public DateTimeOffset? Instant(string name) => Value<DateTimeOffset>(
        name, TimeText.TryParseInstant, $"{name} must be an instant with a zone, such as 2026-01-31T09:30:00Z.");

    /// <summary>A name of the enumeration, in any case.</summary>
    public T? Word<T>(string name) where T : struct, Enum => Value<T>(name, TryWord<T>,
        $"{name} must be one of {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}.");

    public static bool TryWord<T>(ReadOnlySpan<char> text, out T word) where T : struct, Enum
    {
        word = default;
        return text.Length > 0 && char.IsAsciiLetter(text[0]) && Enum.TryParse(text, ignoreCase: true, out word) && Enum.IsDefined(word);
    }

    /// <summary>A place that an earlier page told.</summary>
    public T? Cursor<T>(string name, Parser<T> parse) where T : struct
    {
        if (Text(name) is not { } text)
            return null;
        if (parse(text, out var place))
            return place;
        _badCursor = ProblemCatalog.Make("invalid-cursor", $"{name} is not next of an earlier page, unchanged. Begin again without it.");
        return null;
    }

    /// <summary>The id of a message, batch, list and the like.</summary>
    public MessageId? After(string name = "after") => Cursor<MessageId>(name, MessageId.TryParse);

    /// <summary>A number, as of rows that are counted.</summary>
    public long? AfterNumber() => Cursor("after", static (ReadOnlySpan<char> text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number));
}
