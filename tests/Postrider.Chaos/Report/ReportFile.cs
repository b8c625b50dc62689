using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Postrider.Chaos.Scenarios;

namespace Postrider.Chaos.Report;

/// <summary>The report: a file for programs, and the same as a page for people. Each row keeps its last run.</summary>
sealed class ReportFile
{
    static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    readonly string _path;
    readonly List<Verdict> _verdicts;
    readonly Lock _lock = new();

    ReportFile(string path, List<Verdict> verdicts) => (_path, _verdicts) = (path, verdicts);

    /// <param name="path">Without <c>.json</c> and <c>.md</c>.</param>
    public static ReportFile Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        return new ReportFile(path, File.Exists(path + ".json") ? Read(path + ".json") : []);
    }

    public static List<Verdict> Read(string file) => JsonSerializer.Deserialize<List<Verdict>>(File.ReadAllText(file), Json) ?? [];

    public void Add(Verdict verdict)
    {
        lock (_lock)
        {
            _verdicts.RemoveAll(old => Key(old) == Key(verdict));
            _verdicts.Add(verdict);
            _verdicts.Sort((a, b) => Key(a).CompareTo(Key(b)));
            File.WriteAllText(_path + ".json", JsonSerializer.Serialize(_verdicts, Json) + "\n");
            File.WriteAllText(_path + ".md", ReportPage.Of(_verdicts));
        }
    }

    static (int, string, bool) Key(Verdict verdict) =>
        (int.TryParse(verdict.Row, CultureInfo.InvariantCulture, out var row) ? row : 0, verdict.Engine, verdict.Control is not null);
}
