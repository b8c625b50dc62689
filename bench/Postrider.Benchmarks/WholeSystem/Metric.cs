namespace Postrider.Benchmarks.WholeSystem;

/// <summary>A row of the table: what is measured, for whom, and what the budget asks.</summary>
/// <param name="Key">Of Postrider's samples; Postfix's are under <c>postfix.</c> and the part after the first dot of
/// <paramref name="Rival"/>.</param>
/// <param name="Rival">Key of the samples it is compared with; null when there is none.</param>
/// <param name="MinimumRatio">Budget: at least this many times the rival's; null when the budget is absolute.</param>
sealed record Metric(string Title, string Unit, string Key, string? Rival = null, double? MinimumRatio = null, double? Minimum = null,
    double? Maximum = null)
{
    // The budgets; for the end-to-end rate the first stage of it.
    public static readonly IReadOnlyList<Metric> All =
    [
        new("end to end, 128 connections", "messages/s", "postrider.end-to-end.128", "postfix.end-to-end.128", MinimumRatio: 7),
        new("end to end, 64 connections", "messages/s", "postrider.end-to-end.64", "postfix.end-to-end.64", MinimumRatio: 7),
        new("end to end, in by SMTP, 64 connections", "messages/s", "postrider.smtp-end-to-end.64", "postfix.end-to-end.64"),
        new("accept alone, 128 connections", "messages/s", "postrider.accept.128", "postfix.accept.128", MinimumRatio: 10),
        new("accept alone, 32 connections", "messages/s", "postrider.accept.32", "postfix.accept.32", MinimumRatio: 6),
        new("batch accept, 1,000 destinations a call", "recipients/s", "postrider.batch", Minimum: 50_000),
        new("large batch: 1,000,000 JSON lines taken in", "recipients/s", "postrider.large-batch.fill"),
        new("large batch: sent, 100 other mails a second beside it", "messages/s", "postrider.large-batch.rate"),
        new("large batch: submit → relay of the other mail, p99", "ms", "postrider.large-batch.submit-to-relay.p99", Maximum: 25),
        new("large batch: memory, peak resident", "MiB", "postrider.large-batch.memory", Maximum: 350),
        new("out by a vendor's HTTP API (simulated, answers after 20 ms), 128 connections", "messages/s", "postrider.vendor.128"),
        new("PostgreSQL: end to end, 128 connections, one process", "messages/s", "postrider.postgres-end-to-end.0",
            "postfix.end-to-end.128.beside-postgres", MinimumRatio: 6),
        new("PostgreSQL: one process takes in, 1 worker sends", "messages/s", "postrider.postgres-end-to-end.1",
            "postfix.end-to-end.128.beside-postgres"),
        new("PostgreSQL: one process takes in, 2 workers send", "messages/s", "postrider.postgres-end-to-end.2",
            "postfix.end-to-end.128.beside-postgres"),
        new("PostgreSQL: one process takes in, 4 workers send", "messages/s", "postrider.postgres-end-to-end.4",
            "postfix.end-to-end.128.beside-postgres"),
        new("SQLite: drain with 10,000 queued", "messages/s", "postrider.drain-sqlite.few"),
        new("SQLite: drain with 1,000,000 queued, beside 10,000", "messages/s", "postrider.drain-sqlite.many", "postrider.drain-sqlite.few",
            MinimumRatio: 0.9),
        new("PostgreSQL: drain with 10,000 queued", "messages/s", "postrider.drain-postgres.few"),
        new("PostgreSQL: drain with 1,000,000 queued, beside 10,000", "messages/s", "postrider.drain-postgres.many",
            "postrider.drain-postgres.few", MinimumRatio: 0.9),
        new("SQLite: old messages deleted", "messages/s", "postrider.retention-sqlite.rate"),
        new("SQLite: submit → relay of other mail while these are deleted, p99", "ms", "postrider.retention-sqlite.submit-to-relay.p99",
            Maximum: 25),
        new("PostgreSQL: old messages deleted", "messages/s", "postrider.retention-postgres.rate"),
        new("PostgreSQL: submit → relay of other mail while these are deleted, p99", "ms",
            "postrider.retention-postgres.submit-to-relay.p99", Maximum: 25),
        new("SQLite: search among 10,000,000 recipients, p95", "ms", "postrider.search-sqlite.p95", Maximum: 200),
        new("PostgreSQL: search among 10,000,000 recipients, p95", "ms", "postrider.search-postgres.p95", Maximum: 200),
        new("SQLite: Overview of the dashboard with 1,000,000 messages, what its first paint waits for, p95", "ms",
            "postrider.overview-sqlite.p95", Maximum: 500),
        new("PostgreSQL: Overview of the dashboard with 1,000,000 messages, what its first paint waits for, p95", "ms",
            "postrider.overview-postgres.p95", Maximum: 500),
        new("submit → relay at 100/s, p50", "ms", "postrider.submit-to-relay.p50", "postfix.submit-to-relay.p50"),
        new("submit → relay at 100/s, p99", "ms", "postrider.submit-to-relay.p99", "postfix.submit-to-relay.p99"),
        new("accept → relay at 100/s, p50", "ms", "postrider.accept-to-relay.p50", "postfix.accept-to-relay.p50", Maximum: 5),
        new("accept → relay at 100/s, p99", "ms", "postrider.accept-to-relay.p99", "postfix.accept-to-relay.p99", Maximum: 25),
        new("processor time for 10,000 messages, end to end", "s", "postrider.cpu", "postfix.cpu"),
        new("memory: peak resident (Postfix: sum of its processes)", "MiB", "postrider.memory", "postfix.memory"),
        new("memory, idle", "MiB", "postrider.memory.idle", Maximum: 120),
        new("cold start to the first 202", "s", "postrider.cold-start", Maximum: 2),
    ];

    public const string Limit = "limit";

    /// <summary>True when the budget is met, null when there is none or nothing was measured.</summary>
    public bool? IsMet(Measurements measured)
    {
        var mine = measured.Median(Key);
        return (mine, MinimumRatio, Minimum, Maximum) switch
        {
            (null, _, _, _) => null,
            (_, { } ratio, _, _) => Ratio(measured) is { } actual ? actual >= ratio : null,
            (_, _, { } minimum, _) => mine >= minimum,
            (_, _, _, { } maximum) => mine <= maximum,
            _ => null,
        };
    }

    /// <summary>Median of the rounds' ratios, each of two measurements made one right after the other; null when one is missing.</summary>
    public double? Ratio(Measurements measured) =>
        Rival is not null && measured.Samples.TryGetValue(Key, out var mine) && measured.Samples.TryGetValue(Rival, out var theirs)
            ? Measurements.Percentile(mine.Zip(theirs, (my, their) => my / their), 50)
            : null;

    public string Budget => (MinimumRatio, Minimum, Maximum) switch
    {
        ({ } ratio, _, _) => FormattableString.Invariant($"≥ {ratio:0.##} ×"),
        (_, { } minimum, _) => FormattableString.Invariant($"≥ {minimum:#,0}"),
        (_, _, { } maximum) => $"≤ {maximum:0}",
        _ => "",
    };
}
