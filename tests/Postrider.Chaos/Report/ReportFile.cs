using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postrider.Chaos.Scenarios;

namespace Postrider.Chaos.Report;

/// <summary>The report of one run: a file for programs, and the same as a page for people. It has everything that was run, and nothing
/// else but the last demonstration in full, which is a run of its own.</summary>
/// <param name="path">Without <c>.json</c> and <c>.md</c>.</param>
/// <param name="full">Where the last demonstration in full is kept; null: nowhere.</param>
sealed partial class ReportFile(string path, string? full)
{
    const string Demonstration = "all";

    static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    readonly List<Verdict> _verdicts = [];
    readonly Lock _lock = new();

    public void Add(Verdict verdict)
    {
        lock (_lock)
        {
            _verdicts.Add(verdict);
            _verdicts.Sort((a, b) => Key(a).CompareTo(Key(b)));
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            File.WriteAllText(path + ".json", JsonSerializer.Serialize(_verdicts, Json) + "\n");
            File.WriteAllText(path + ".md", ReportPage.Of(_verdicts, LastFull()));
        }
    }

    /// <summary>Keeps a verdict of a full run where it is the demonstration's. One that failed proves nothing, and leaves the last one
    /// there.</summary>
    public void Keep(Verdict verdict)
    {
        if (full is not null && verdict is { Row: Demonstration, Control: null, Failure: null })
            File.WriteAllText(full, JsonSerializer.Serialize(verdict, Json) + "\n");
    }

    Verdict? LastFull() => File.Exists(full) ? JsonSerializer.Deserialize<Verdict>(File.ReadAllText(full), Json) : null;

    /// <summary>Puts the numbers where the page has those of an earlier run.</summary>
    public void WriteHeadline(string page) =>
        File.WriteAllText(page, Headline().Replace(File.ReadAllText(page), _ => ReportPage.Headline(_verdicts), 1));

    [GeneratedRegex(@"^\*\*[\d,]+ faults, .*$", RegexOptions.Multiline)]
    private static partial Regex Headline();

    static (int, string, bool) Key(Verdict verdict) =>
        (int.TryParse(verdict.Row, CultureInfo.InvariantCulture, out var row) ? row : 0, verdict.Engine, verdict.Control is not null);
}
