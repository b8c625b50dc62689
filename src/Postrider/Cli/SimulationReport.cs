using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;
using Postrider.Simulation;

namespace Postrider.Cli;

/// <summary>A simulation's result as one page that needs nothing else: no script, no other file, plots as SVG. The same result is the same
/// page.</summary>
/// <remarks>Its policy allows its own style and nothing more, so that it can be put on any server.</remarks>
static class SimulationReport
{
    const int Width = 720;      // of a plot, in its own units
    const int Height = 190;
    const int Top = 18;         // room for a legend
    const int Left = 100;       // room for names and numbers
    const int Bottom = 22;
    const int Parts = 180;      // points of the queue's depth
    const int RowHeight = 26;
    const int Columns = 90;     // of deliveries
    const int Colours = 6;
    const int MostInLegend = 6;

    const string Style = """
        :root{color-scheme:light dark;--page:#fff;--ink:#1c2430;--soft:#667080;--line:#d8dde5;--a:#2463c4;--good:#2b8a57;--bad:#c4362c;--half:#d08a15}
        @media (prefers-color-scheme:dark){:root{--page:#12161d;--ink:#e6eaf0;--soft:#9aa5b5;--line:#313a48;--a:#6ba3f5;--good:#57c48a;--bad:#f2766c;--half:#e6b04e}}
        body{margin:2rem auto;max-width:50rem;padding:0 1rem;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
        h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{color:var(--soft)}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
        td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
        .sums{display:flex;flex-wrap:wrap;gap:1.5rem}.sums div{color:var(--soft)}.sums b{display:block;font-size:1.4rem;color:var(--ink)}
        svg{width:100%;height:auto}text{fill:var(--soft);font:11px system-ui,sans-serif}
        .axis{stroke:var(--line)}.area{fill:var(--a);fill-opacity:.25;stroke:var(--a)}.curve{fill:none;stroke:var(--a);stroke-width:2}
        .v0{fill:#4c83e0}.v1{fill:#e0913c}.v2{fill:#3fa37c}.v3{fill:#a56cc9}.v4{fill:#c95f6e}.v5{fill:#7d8a9a}
        .good{fill:var(--good)}.bad{fill:var(--bad)}.half{fill:var(--half)}.rest{fill:var(--line)}
        .out{fill:var(--bad);fill-opacity:.12}.outage{fill:var(--ink)}p.loud{color:var(--bad);font-weight:600}
        """;

    public static string Write(Scenario scenario, SimulationResult result)
    {
        // Line breaks are part of what the hash is of.
        var style = Style.ReplaceLineEndings("\n");
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        return $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'">
            <title>Postrider simulation, seed {result.Seed}</title>
            <style>{style}</style>
            </head>
            <body>
            <h1>Postrider simulation</h1>
            <p>{Describe(scenario, result)}</p>
            {Reserves(result)}
            <div class="sums">{Sums(result)}</div>
            <h2>Delivered, by vendor</h2>
            {Deliveries(result)}
            <h2>Mails that had not ended</h2>
            {Depth(result)}
            <h2>Delay of what was delivered</h2>
            {Delays(result)}
            <h2>Vendors</h2>
            {Vendors(result)}
            <h2>Circuits</h2>
            {Circuits(result)}
            </body>
            </html>

            """.ReplaceLineEndings("\n");
    }

    static string Describe(Scenario scenario, SimulationResult result)
    {
        return Text($"{SimulationScreen.Number(result.Mails)} mails, {SimulationScreen.Arrivals(scenario)}; "
            + $"{SimulationScreen.Span((long)result.Took.TotalMilliseconds)} "
            + $"{(scenario.RealTime ? "of real" : "of simulated")} time; seed {result.Seed}.");
    }

    /// <summary>What the figures do not show.</summary>
    static string Reserves(SimulationResult result)
    {
        var open = result.Mails - result.Delivered - result.Failed - result.Expired;
        var partial = $"Interrupted: the figures are partial, {SimulationScreen.Number(open)} mails had not ended.";
        return string.Concat(OutageMeeting.Missed(result).Concat(result.IsPartial ? [partial] : [])
            .Select(words => $"<p class=\"loud\">{Text(words)}</p>"));
    }

    static string Sums(SimulationResult result) => string.Concat(new (string Name, string Value)[]
    {
        ("delivered", SimulationScreen.Number(result.Delivered)), ("failed", SimulationScreen.Number(result.Failed)),
        ("expired", SimulationScreen.Number(result.Expired)), ("tries", SimulationScreen.Number(result.Tries)),
        ("possible duplicates", SimulationScreen.Number(result.PossibleDuplicates)), ("p50", Delay(result, 50)), ("p99", Delay(result, 99)),
        ("longest", Delay(result, 100)),
    }.Select(sum => $"<div><b>{Text(sum.Value)}</b>{sum.Name}</div>"));

    static string Delay(SimulationResult result, int percent) =>
        result.Percentile(percent) is { } delay ? SimulationScreen.Span(delay) : "–";

    /// <summary>Mails in each part of the time, the vendors on top of each other, the first at the bottom.</summary>
    static string Deliveries(SimulationResult result)
    {
        var whole = Math.Max(1, result.Took.TotalMilliseconds);
        var counts = result.Vendors.ToDictionary(vendor => vendor.Name, _ => new int[Columns], StringComparer.Ordinal);
        foreach (var delivery in result.Deliveries)
            if (counts.TryGetValue(delivery.Vendor, out var own))
                own[Math.Min(Columns - 1, (int)(delivery.At * Columns / whole))]++;
        var most = Math.Max(1, Enumerable.Range(0, Columns).Max(column => counts.Values.Sum(own => own[column])));
        var below = new int[Columns];
        var (columns, legend) = (new StringBuilder(), new StringBuilder());
        foreach (var (i, vendor) in result.Vendors.Index())
        {
            columns.Append(CultureInfo.InvariantCulture, $"<path class=\"v{i % Colours}\" d=\"");
            foreach (var (column, count) in counts[vendor.Name].Index())
            {
                if (count == 0)
                    continue;
                var (left, bottom) = (X((double)column / Columns), Y((double)below[column] / most));
                var top = Y((double)(below[column] += count) / most);
                columns.Append(CultureInfo.InvariantCulture,
                    $"M{left:0.##} {bottom:0.##}V{top:0.##}h{(double)(Width - Left) / Columns:0.##}V{bottom:0.##}Z");
            }
            columns.Append("\"/>");
            legend.Append(CultureInfo.InvariantCulture, $"<rect class=\"v{i % Colours}\" x=\"{Left + 8 + i * 90}\" y=\"0\" width=\"10\" height=\"10\"/>")
                .Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + 22 + i * 90}\" y=\"9\">{Text(vendor.Name)}</text>");
        }
        var each = SimulationScreen.Span((long)(whole / Columns));
        return Plot($"Mails delivered, by vendor, in each {each}", Height, $"""
            {Frame($"{SimulationScreen.Number(most)} in {each}", (long)whole)}
            {Outages(result)}
            {columns}
            {(result.Vendors.Count <= MostInLegend ? legend : "")}
            """);
    }

    static string Depth(SimulationResult result)
    {
        var points = result.DepthIn(Parts);
        var most = Math.Max(1, points.Max(point => point.Open));
        var path = new StringBuilder(Point('M', Left, Height - Bottom));
        foreach (var (i, point) in points.Index())
            path.Append(Point('L', X((double)i / (Parts - 1)), Y((double)point.Open / most)));
        path.Append(Point('L', Width, Height - Bottom)).Append('Z');
        return Plot("Mails that had not ended, over time", Height, $"""
            {Frame(SimulationScreen.Number(most), (long)result.Took.TotalMilliseconds)}
            {Outages(result)}
            <path class="area" d="{path}"/>
            """);
    }

    /// <summary>How many of a hundred had arrived after which time.</summary>
    static string Delays(SimulationResult result)
    {
        if (result.Delays.Count == 0)
            return "<p>Nothing was delivered.</p>";
        var longest = Math.Max(1, result.Delays[^1]);
        var path = new StringBuilder();
        for (var percent = 0; percent <= 100; percent++)
            path.Append(Point(percent == 0 ? 'M' : 'L', X((double)result.Percentile(percent)!.Value / longest), Y(percent / 100.0)));
        return Plot("Share of mails delivered, over their delay", Height, $"""
            {Frame("100 %", longest)}
            <path class="curve" d="{path}"/>
            """);
    }

    static string Vendors(SimulationResult result)
    {
        var table = new StringBuilder("<table><tr><th>vendor</th><th class=\"n\">delivered</th><th class=\"n\">share</th>"
            + "<th class=\"n\">tries</th><th>outcomes</th></tr>");
        foreach (var vendor in result.Vendors)
        {
            var outcomes = string.Join(", ", vendor.Outcomes.Select(o => $"{o.Key.ToString().ToLowerInvariant()} {SimulationScreen.Number(o.Value)}"));
            table.Append("<tr>").Append(Cell(vendor.Name, isNumber: false)).Append(Cell(SimulationScreen.Number(vendor.Delivered)))
                .Append(Cell(vendor.Share.ToString("P1", CultureInfo.InvariantCulture))).Append(Cell(SimulationScreen.Number(vendor.Tries)))
                .Append(Cell(outcomes, isNumber: false)).Append("</tr>");
        }
        table.Append("</table>");
        var bars = new StringBuilder();
        var most = Math.Max(1.0, result.Vendors.Max(vendor => vendor.Outcomes.Values.Sum()));
        foreach (var (row, vendor) in result.Vendors.Index())
        {
            var accepted = vendor.Outcomes.GetValueOrDefault(OutcomeKind.Accepted) / most;
            bars.Append(Name(row, vendor.Name)).Append(Bar("good", row, 0, accepted)).Append(Bar("bad", row, accepted, vendor.Failures / most));
        }
        return table + Plot("Answers of each vendor: accepted, and otherwise", result.Vendors.Count * RowHeight, bars.ToString());
    }

    static string Circuits(SimulationResult result)
    {
        if (result.Circuit.Count == 0)
            return "<p>No circuit opened.</p>";
        var whole = Math.Max(1, result.Took.TotalMilliseconds);
        var rows = new StringBuilder();
        foreach (var (row, vendor) in result.Vendors.Index())
        {
            rows.Append(Name(row, vendor.Name)).Append(Bar("rest", row, 0, 1));
            var changes = result.Circuit.Where(change => change.Vendor == vendor.Name).ToList();
            foreach (var (i, change) in changes.Index())
            {
                var to = i + 1 < changes.Count ? changes[i + 1].At : whole;
                if (ClassOf(change.State) is { } shown)
                    rows.Append(Bar(shown, row, change.At / whole, (to - change.At) / whole));
            }
            var outages = result.Outages.Where(one => one.Vendor == vendor.Name);
            foreach (var (from, until) in outages.SelectMany(one => OutageMeeting.Times(one.Outage, whole)))
                rows.Append(Band("outage", from / whole, until / whole, row * RowHeight + 21, 4)).Append("</rect>");
        }
        rows.Append(Times((long)whole, result.Vendors.Count * RowHeight + 14));
        return Plot("Circuits: open, half open; below each the outages of its vendor",
            result.Vendors.Count * RowHeight + Bottom, rows.ToString());
    }

    static string? ClassOf(string state) => state switch
    {
        "open" or "stalled" => "bad",
        "half_open" => "half",
        _ => null,
    };

    static string Plot(string label, int height, string content) =>
        $"<svg viewBox=\"0 0 {Width + 10} {height}\" role=\"img\" aria-label=\"{Text(label)}\">{content}</svg>";

    /// <summary>Over the whole height, each told apart by its title.</summary>
    static string Outages(SimulationResult result)
    {
        var whole = Math.Max(1, result.Took.TotalMilliseconds);
        var bands = new StringBuilder();
        foreach (var (vendor, outage) in result.Outages)
            foreach (var (from, until) in OutageMeeting.Times(outage, whole))
                bands.Append(Band("out", from / whole, until / whole, Top, Height - Bottom - Top)).Append("<title>")
                    .Append(Text($"outage of {vendor}, {SimulationScreen.Span((long)from)} to {SimulationScreen.Span((long)until)}"))
                    .Append("</title></rect>");
        return bands.ToString();
    }

    /// <summary>Not closed: it may have a title.</summary>
    /// <param name="from">As <paramref name="until"/> a share of the width.</param>
    static string Band(string look, double from, double until, int top, int height) => string.Create(CultureInfo.InvariantCulture,
        $"<rect class=\"{look}\" x=\"{X(from):0.##}\" y=\"{top}\" width=\"{(Width - Left) * (until - from):0.##}\" height=\"{height}\">");

    /// <summary>Below an axis: its ends, and what is between them in quarters.</summary>
    static string Times(long whole, int y)
    {
        var texts = new StringBuilder();
        for (var quarter = 0; quarter <= 4; quarter++)
            texts.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(quarter / 4.0):0.##}\" y=\"{y}\"")
                .Append(quarter switch { 0 => ">", 4 => " text-anchor=\"end\">", _ => " text-anchor=\"middle\">" })
                .Append(quarter == 0 ? "0" : Text(SimulationScreen.Span(whole * quarter / 4))).Append("</text>");
        return texts.ToString();
    }

    static string Frame(string most, long last) => string.Create(CultureInfo.InvariantCulture, $"""
        <path class="axis" d="M{Left} {Top}V{Height - Bottom}H{Width}" fill="none"/>
        <text x="{Left - 6}" y="{Top + 9}" text-anchor="end">{Text(most)}</text><text x="{Left - 6}" y="{Height - Bottom}" text-anchor="end">0</text>
        {Times(last, Height - 6)}
        """);

    static string Name(int row, string name) => string.Create(CultureInfo.InvariantCulture,
        $"<text x=\"{Left - 6}\" y=\"{row * RowHeight + 17}\" text-anchor=\"end\">{Text(name)}</text>");

    /// <param name="from">As <paramref name="length"/> a share of the width.</param>
    static string Bar(string look, int row, double from, double length) => string.Create(CultureInfo.InvariantCulture,
        $"<rect class=\"{look}\" x=\"{X(from):0.##}\" y=\"{row * RowHeight + 5}\" width=\"{(Width - Left) * length:0.##}\" height=\"16\"/>");

    static string Point(char command, double x, double y) => string.Create(CultureInfo.InvariantCulture, $"{command}{x:0.##} {y:0.##}");

    static double X(double share) => Left + (Width - Left) * share;
    static double Y(double share) => Height - Bottom - (Height - Bottom - Top) * share;

    static string Cell(string value, bool isNumber = true) => $"<td{(isNumber ? " class=\"n\"" : "")}>{Text(value)}</td>";
    static string Text(string value) => WebUtility.HtmlEncode(value);
}
