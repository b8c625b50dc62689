using System.Globalization;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>A page of a list that goes from new to old by id.</summary>
/// <param name="Before">Null: the first page.</param>
readonly record struct IdPage(MessageId? Before, int Limit);

/// <summary>Reads the parameters of lists that have pages and nothing else.</summary>
static class Pages
{
    const int DefaultLimit = 20;
    const int MaxLimit = 100;

    public static readonly DocumentedParameters Parameters = new(
        [new("limit", "1 to 100. Default 20."), new("after", "next of the page before: what is older.")]);

    public static bool TryRead(IQueryCollection query, out IdPage page, out Problem? problem)
    {
        page = default;
        problem = null;
        MessageId? before = null;
        if (query["after"] is { Count: > 0 } after)
        {
            if (after is not [{ } text] || !MessageId.TryParse(text, out var id))
                problem = ProblemCatalog.Make("invalid-cursor", "after is not next of an earlier page.");
            else
                before = id;
        }
        if (!TryNumber(query, "limit", DefaultLimit, MaxLimit, out var limit))
            problem = ProblemCatalog.Make("invalid-field", $"limit must be 1 to {MaxLimit}.");
        page = new IdPage(before, (int)limit);
        return problem is null;
    }

    /// <summary>The same for a list by number.</summary>
    public static bool TryReadNumbers(
        IQueryCollection query, int defaultLimit, int maxLimit, out long after, out int limit, out Problem? problem)
    {
        problem = null;
        after = 0;
        if (query["after"] is { Count: > 0 } cursor
            && !(cursor is [{ } text] && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after)))
            problem = ProblemCatalog.Make("invalid-cursor", "after is not next of an earlier page.");
        if (!TryNumber(query, "limit", defaultLimit, maxLimit, out var most))
            problem = ProblemCatalog.Make("invalid-field", $"limit must be 1 to {maxLimit:N0}.");
        limit = (int)most;
        return problem is null;
    }

    static bool TryNumber(IQueryCollection query, string name, long otherwise, long most, out long number)
    {
        number = otherwise;
        if (query[name].Count == 0)
            return true;
        return query[name] is [{ } text] && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number >= 1 && number <= most;
    }
}
