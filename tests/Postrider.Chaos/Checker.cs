using System.Globalization;
using System.Text.RegularExpressions;

namespace Postrider.Chaos;

/// <summary>A kill or a power cut, in microseconds since 1970.</summary>
/// <param name="Struck">When the process or the disk was stopped.</param>
/// <param name="Over">When all it had sent was read by the sink, and before it was started again.</param>
sealed record Fault(long Struck, long Over);

/// <summary>Joins the client's book with the sink's. The product is asked about duplicates only, and has to agree with what the books
/// say of them.</summary>
sealed partial class Checker(string clientJournal, string sinkJournal, IReadOnlyList<Fault> faults)
{
    readonly Dictionary<string, string> _acknowledged = Journal.Read(clientJournal).Where(line => line is ["A", _, _])
        .ToDictionary(line => Client.Address(int.Parse(line[1], CultureInfo.InvariantCulture)), line => line[2]);

    readonly Dictionary<string, List<Arrival>> _arrivals = Journal.Read(sinkJournal).Where(line => line.Length == 4)
        .Select(line => new Arrival(long.Parse(line[0], CultureInfo.InvariantCulture), line[2], line[3]))
        .GroupBy(arrival => arrival.Recipient).ToDictionary(group => group.Key, group => group.OrderBy(arrival => arrival.At).ToList());

    double _longestUnrecorded;

    public int Submitted => Journal.Read(clientJournal).Count(line => line[0] == "S");
    public int Acknowledged => _acknowledged.Count;
    public int Arrived => _arrivals.Values.Sum(arrivals => arrivals.Count);
    public int Distinct => _arrivals.Count;
    public int Duplicates => Arrived - Distinct;
    public double LongestUnrecorded => _longestUnrecorded;

    public IReadOnlyList<string> Lost =>
        [.. _acknowledged.Where(mail => !_arrivals.ContainsKey(mail.Key)).Select(mail => $"{mail.Key} {mail.Value}")];

    /// <summary>Each duplicate that is not explained, with the reason.</summary>
    /// <param name="attempts">Asks the product for the tries and recorded attempts of a message.</param>
    public async Task<IReadOnlyList<string>> UnexplainedAsync(Func<string, Task<(int Tries, int Recorded)?>> attempts)
    {
        var unexplained = new List<string>();
        foreach (var (recipient, arrivals) in _arrivals.Where(mail => mail.Value.Count > 1))
            if (await FaultOfAsync(recipient, arrivals, attempts) is { } fault)
                unexplained.Add($"{recipient} {arrivals[0].MessageId}: {fault}");
        return unexplained;
    }

    /// <summary>Null when it is explained.</summary>
    async Task<string?> FaultOfAsync(string recipient, List<Arrival> arrivals, Func<string, Task<(int Tries, int Recorded)?>> attempts)
    {
        if (arrivals.Any(arrival => arrival.MessageId != arrivals[0].MessageId))
            return "its copies carry different Message-IDs";
        for (var i = 1; i < arrivals.Count; i++)
        {
            if (faults.FirstOrDefault(fault => arrivals[i - 1].At <= fault.Over && arrivals[i].At >= fault.Over) is not { } fault)
                return "no fault between two of its arrivals";
            _longestUnrecorded = Math.Max(_longestUnrecorded, (fault.Struck - arrivals[i - 1].At) / 1000.0);
        }
        var id = _acknowledged.GetValueOrDefault(recipient) ?? Uuid().Match(arrivals[0].MessageId).Value;
        if (await attempts(id) is not { } story)
            return $"the product does not know the message {id}";
        return story.Tries - story.Recorded >= arrivals.Count - 1
            ? null
            : $"{arrivals.Count} arrivals, but {story.Tries} tries of which {story.Recorded} have an outcome";
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    readonly record struct Arrival(long At, string Recipient, string MessageId);
}
