using System.Globalization;
using System.Text.RegularExpressions;

namespace Postrider.Chaos.Books;

/// <summary>Something that was done to the product, in microseconds since 1970.</summary>
/// <param name="What">In words, with the node it was done to.</param>
/// <param name="Struck">When it began.</param>
/// <param name="Over">When all that was sent before was read by the sink, or, for what stood still, when it went on.</param>
sealed record Strike(string What, long Struck, long Over);

/// <summary>A mail at the sink.</summary>
/// <param name="By">The node that brought it, by the name in its EHLO; "" where there is none.</param>
readonly record struct Arrival(long At, string Recipient, string MessageId, string By);

/// <summary>What the product itself tells of a message.</summary>
/// <param name="Tries">Attempts started.</param>
/// <param name="WithoutOutcome">Attempts that were under way when their process ended or was given up, or that were not answered.</param>
/// <param name="Doubtful">Of these, attempts that ended in doubt by themselves: the transport did not answer.</param>
readonly record struct Story(int Tries, int WithoutOutcome, int Doubtful);

/// <summary>A recipient that got more than one mail, and what explains it.</summary>
/// <param name="Explanation">Null: nothing does, and <paramref name="Fault"/> says why not.</param>
sealed record Duplicate(string Recipient, string Message, int Arrivals, string? Explanation, string? Fault);

/// <summary>Joins the client's book with those of sink and vendor. The product is asked about duplicates only, and has to agree with what
/// the books say of them.</summary>
sealed partial class Checker(IReadOnlyList<string> clientJournals, IEnumerable<string> sinkJournals, IReadOnlyList<Strike> strikes)
{
    readonly List<string[]> _client = [.. clientJournals.SelectMany(Journal.Read)];

    readonly Dictionary<string, List<Arrival>> _arrivals = sinkJournals.Where(File.Exists).SelectMany(Journal.Read)
        .Where(IsArrival)
        .Select(line => new Arrival(long.Parse(line[0], CultureInfo.InvariantCulture), line[2], line[3], line[4]))
        .GroupBy(arrival => arrival.Recipient).ToDictionary(group => group.Key, group => group.OrderBy(arrival => arrival.At).ToList());

    public IReadOnlyDictionary<string, string> Acknowledged =>
        field ??= _client.Where(line => line[0] == "A").ToDictionary(line => line[1], line => line[2]);

    /// <summary>Whether a line of the sink's journal is a mail: not a connection, and whole.</summary>
    public static bool IsArrival(string[] line) => line.Length == 5 && line[0] != "C";

    public IReadOnlyDictionary<string, long> AcknowledgedTimes => _client.Where(line => line[0] == "A")
        .ToDictionary(line => line[1], line => long.Parse(line[3], CultureInfo.InvariantCulture));

    /// <summary>When each 202 came.</summary>
    public IEnumerable<long> AcknowledgedAt => _client.Where(line => line[0] == "A")
        .Select(line => long.Parse(line[3], CultureInfo.InvariantCulture));

    /// <summary>Other answers, with their time; 0 is none.</summary>
    public IEnumerable<(int Status, long At)> Refusals => _client.Where(line => line[0] == "R")
        .Select(line => (int.Parse(line[2], CultureInfo.InvariantCulture), long.Parse(line[3], CultureInfo.InvariantCulture)));

    public int Submitted => _client.Count(line => line[0] == "S");
    public int Arrived => _arrivals.Values.Sum(arrivals => arrivals.Count);
    public int Distinct => _arrivals.Count;
    public int Duplicates => Arrived - Distinct;
    public IReadOnlyDictionary<string, List<Arrival>> Arrivals => _arrivals;

    public IReadOnlyList<string> Lost =>
        [.. Acknowledged.Where(mail => !_arrivals.ContainsKey(mail.Key)).Select(mail => $"{mail.Key} {mail.Value}")];

    /// <summary>Every message that is known to one of the books.</summary>
    public IReadOnlyList<string> Messages =>
        [.. Acknowledged.Values.Concat(_arrivals.Values.Select(arrivals => MessageOf(arrivals[0]))).Distinct()];

    /// <param name="stories">What the product tells of each message.</param>
    public IReadOnlyList<Duplicate> Explain(IReadOnlyDictionary<string, Story> stories) =>
        [.. _arrivals.Values.Where(arrivals => arrivals.Count > 1).Select(arrivals => Explain(arrivals, stories))];

    Duplicate Explain(List<Arrival> arrivals, IReadOnlyDictionary<string, Story> stories)
    {
        var (recipient, message) = (arrivals[0].Recipient, MessageOf(arrivals[0]));
        Duplicate Of(string? explanation, string? fault) => new(recipient, message, arrivals.Count, explanation, fault);
        if (arrivals.Any(arrival => arrival.MessageId != arrivals[0].MessageId))
            return Of(null, "its copies carry different Message-IDs");
        if (!stories.TryGetValue(message, out var story))
            return Of(null, "the product does not know the message");
        if (story.Tries < arrivals.Count || story.WithoutOutcome < arrivals.Count - 1)
            return Of(null, $"{arrivals.Count} arrivals, but {story.Tries} tries of which {story.WithoutOutcome} had no outcome");
        if (story.Doubtful >= arrivals.Count - 1)
            return Of($"{story.Doubtful} attempts that the transport did not answer", null);
        var between = new List<string>();
        for (var i = 1; i < arrivals.Count; i++)
        {
            var (earlier, later) = (arrivals[i - 1].At, arrivals[i].At);
            if (strikes.LastOrDefault(strike => earlier <= strike.Over && later >= strike.Struck) is { } strike)
                between.Add(strike.What);
        }
        return between.Count + story.Doubtful >= arrivals.Count - 1
            ? Of($"under way at {string.Join(", ", between)}", null)
            : Of(null, "nothing was done to the product between two of its arrivals");
    }

    static string MessageOf(Arrival arrival) => Uuid().Match(arrival.MessageId).Value;

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uuid();
}
