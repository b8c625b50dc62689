using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>What a run says: a table for people, JSON for machines, both from the same samples.</summary>
sealed class Report(Machine machine, Scale scale, double steal, Measurements measured)
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string Table
    {
        get
        {
            var table = new StringBuilder();
            table.AppendLine("| what | unit | Postrider | Postfix | ratio | budget | met |");
            table.AppendLine("|---|---|--:|--:|--:|--:|---|");
            foreach (var metric in Metric.All.Where(metric => measured.Median(metric.Key) is not null || Rival(metric) is not null))
            {
                table.Append(CultureInfo.InvariantCulture, $"| {metric.Title} | {metric.Unit} | {Number(measured.Median(metric.Key))} ");
                table.Append(CultureInfo.InvariantCulture, $"| {Number(Postfix(metric))} | {Times(metric.Ratio(measured))} ");
                table.Append(CultureInfo.InvariantCulture, $"| {metric.Budget} | {Met(metric.IsMet(measured))} |\n");
            }
            table.Append(CultureInfo.InvariantCulture,
                $"| limit: `smtp-source` → `smtp-sink` | messages/s | {Number(measured.Median(Metric.Limit))} | | | | |\n");
            return table.ToString();
        }
    }

    /// <summary>Writes <c>results/latest.json</c> and <c>RESULTS.md</c>.</summary>
    public async Task WriteAsync(string folder, CancellationToken ct)
    {
        Directory.CreateDirectory(Path.Combine(folder, "results"));
        var document = new
        {
            measured_at = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            machine,
            scale,
            highest_steal = Math.Round(steal, 3),
            samples = measured.Samples,
            rows = Metric.All.Select(metric => new
            {
                metric.Title,
                metric.Unit,
                postrider = measured.Median(metric.Key),
                postfix = Postfix(metric),
                ratio = metric.Ratio(measured),
                metric.Budget,
                met = metric.IsMet(measured),
            }),
        };
        await File.WriteAllTextAsync(Path.Combine(folder, "results", "latest.json"), JsonSerializer.Serialize(document, Indented) + "\n",
            ct);
        await File.WriteAllTextAsync(Path.Combine(folder, "RESULTS.md"), Markdown, ct);
    }

    string Markdown => $"""
        # Results of the whole-system benchmark

        Written by `make bench`; the samples are in [results/latest.json](results/latest.json). Do not edit.

        {machine.Cores} cores ({machine.Processor}), {Text(machine.MemoryGiB)} GiB, {machine.OperatingSystem},
        {machine.Kernel}, {machine.Runtime}, file system {machine.FileSystem}.
        Everything (load generator, server, relay) runs on these cores, over loopback. Medians of {scale.Rounds} rounds in rotated
        order, ratios of pairs measured one right after the other; highest steal of the host in any measurement
        {Text(Math.Round(steal * 100, 1))} %; load of the machine before the run {Text(machine.LoadBefore)} (well above 0: others used it too; the ratios suffer less than the rates, the 99th percentiles most).

        {Table}
        ## How it is measured

        - Both sides store durably before they say 250 or 202, on the same file system, and send on to the same kind of `smtp-sink`.
          Messages are 2 KB to one recipient each. Both are warmed up before each measurement.
        - **Postfix** is a private instance tuned for this job (`WholeSystem/PostfixServer.cs` has each line): no look-ups, no rewriting,
          no chroot, no TLS, connections reused both ways, 50 deliveries at a time, processes that live on. Load is `smtp-source`,
          connections kept open, distinct recipients. Its log goes to the system's logger, if there is one.
        - **Postrider** is the Release build with its defaults: HTTP in, SQLite, SMTP out. Load is `wrk` with one thread, closed loop;
          recipients at random out of two million; each request with its bearer key. Closed-loop clients bound the size of a group
          commit, so the number of connections is part of each figure. In by SMTP, the load is Postfix's: the same `smtp-source` with
          the same messages, without a password as there (a trusted network).
        - End to end: from the start of the load until the sink has counted every accepted message. Accept alone: delivery paused
          (`POST /pause`; Postfix has no queue manager then).
        - Latency: 100 messages/s at an even pace; from the first byte of the submission, and from the 202 or 250, to the final dot read
          by a relay that notes times. Medians of each round's percentile.
        - Processor time and memory: of the product's process; for Postfix the sum over all its processes (memory: proportional set size).

        """;

    static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);

    double? Rival(Metric metric) => metric.Rival is null ? null : measured.Median(metric.Rival);

    // Some rows are compared with another one of Postrider's.
    double? Postfix(Metric metric) => metric.Rival?.StartsWith("postfix.", StringComparison.Ordinal) == true ? Rival(metric) : null;

    static string Times(double? ratio) =>
        ratio is null ? "" : ratio.Value.ToString(ratio < 1 ? "0.00 ×" : "0.0 ×", CultureInfo.InvariantCulture);

    static string Met(bool? met) => met switch { true => "yes", false => "**no**", null => "" };

    static string Number(double? value) => value switch
    {
        null => "",
        >= 100 => value.Value.ToString("#,0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
