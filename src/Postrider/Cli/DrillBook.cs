using System.Globalization;
using System.Text.Json;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Cli;

/// <summary>What events tell of the mail before, during and after a drill.</summary>
/// <param name="transport">The one that was broken.</param>
sealed class DrillBook(string transport)
{
    readonly Dictionary<string, DrilledMail> _mails = new(StringComparer.Ordinal);  // by message and address

    public DateTimeOffset Began { get; set; } = DateTimeOffset.MaxValue;
    public DateTimeOffset Ended { get; set; } = DateTimeOffset.MaxValue;

    /// <summary>Mails that came during the drill, or that it hit, and that have not ended.</summary>
    public int Open => Drilled.Count(mail => mail.IsOpen);
    public int Count => Drilled.Count();

    IEnumerable<DrilledMail> Drilled => _mails.Values.Where(mail => mail.HitAt is not null || (mail.At >= Began && mail.At < Ended));

    /// <param name="happened">As <c>/events</c> tells it.</param>
    public void Take(JsonElement happened)
    {
        var data = happened.GetProperty("data");
        if (Text(data, "email_id") is not { } id || !MessageId.TryParse(id, out var message))
            return;
        var at = DateTimeOffset.Parse(happened.GetProperty("created_at").GetString()!, CultureInfo.InvariantCulture);
        foreach (var to in data.TryGetProperty("to", out var all) ? all.EnumerateArray().Select(a => a.GetString()) : [])
        {
            var key = $"{id} {to}";
            if (!_mails.TryGetValue(key, out var mail))
                _mails.Add(key, mail = new DrilledMail(message.At));
            mail.Take(happened.GetProperty("type").GetString()!, at, Text(data, "transport"), Text(data, "text"), transport);
        }
    }

    public DrillReport Close()
    {
        var drilled = Drilled.ToList();
        var failedOver = drilled.Where(mail => mail is { HitAt: not null, SentElsewhereAt: not null }).ToList();
        return new DrillReport(
            drilled.Count, drilled.Count(mail => mail.HitAt is not null), failedOver.Count,
            failedOver.Count == 0 ? null : (long)(failedOver.Min(mail => mail.SentElsewhereAt!.Value) - Began).TotalMilliseconds,
            Spread.Of(failedOver.Select(mail => mail.SentElsewhereAt!.Value - mail.HitAt!.Value)),
            drilled.Count(mail => mail.IsLost), drilled.Count(mail => mail.IsOpen), drilled.Count(mail => mail.Sent > 1),
            Spread.Of(_mails.Values.Where(mail => mail.At < Began && mail.HitAt is null && mail.SentAt < Began).Select(mail => mail.Delay)),
            Spread.Of(drilled.Where(mail => mail.SentAt is not null).Select(mail => mail.Delay)));
    }

    static string? Text(JsonElement data, string name) =>
        data.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>One recipient of a message.</summary>
    sealed class DrilledMail(DateTimeOffset at)
    {
        public DateTimeOffset At { get; } = at;
        public DateTimeOffset? HitAt { get; private set; }
        public DateTimeOffset? SentAt { get; private set; }
        public DateTimeOffset? SentElsewhereAt { get; private set; }
        public int Sent { get; private set; }
        public bool IsLost { get; private set; }
        public bool IsOpen { get; private set; } = true;
        public TimeSpan Delay => SentAt!.Value - At;

        public void Take(string type, DateTimeOffset at, string? by, string? text, string broken)
        {
            if (by == broken && text?.StartsWith("fire drill", StringComparison.Ordinal) == true)
                HitAt ??= at;
            if (type == EventNames.Sent)
            {
                Sent++;
                SentAt ??= at;
                if (by != broken)
                    SentElsewhereAt ??= at;
            }
            IsLost |= type is EventNames.Failed or EventNames.Expired or "email.held";
            IsOpen &= type is not (EventNames.Sent or EventNames.Bounced or EventNames.Failed or EventNames.Expired or "email.held"
                or "email.suppressed" or "email.cancelled");
        }
    }
}

/// <summary>What a drill showed. Times are milliseconds.</summary>
/// <param name="Mails">That came meanwhile, or were hit.</param>
/// <param name="Hit">Of them, those of which a try failed for the drill.</param>
/// <param name="FirstFailover">From the beginning of the drill to the first mail that another transport took; null: none did.</param>
/// <param name="Failover">From a mail's failed try to its being taken by another transport.</param>
/// <param name="Lost">Failed, expired or held.</param>
/// <param name="Open">Had not ended when the watching did.</param>
/// <param name="Before">From accepted to sent, before the drill.</param>
/// <param name="During">The same of the mails of the drill.</param>
sealed record DrillReport(
    int Mails, int Hit, int FailedOver, long? FirstFailover, Spread? Failover, int Lost, int Open, int Duplicated, Spread? Before,
    Spread? During)
{
    /// <summary>How much longer 99 of 100 mails took at most; null: there is nothing to compare.</summary>
    public long? AddedP99 => Before is { } before && During is { } during ? during.P99 - before.P99 : null;
}

/// <summary>Times of which so many of a hundred were no longer (nearest rank), in milliseconds.</summary>
readonly record struct Spread(long P50, long P99, long Longest)
{
    /// <summary>Null: of nothing.</summary>
    public static Spread? Of(IEnumerable<TimeSpan> spans)
    {
        long[] sorted = [.. spans.Select(span => (long)span.TotalMilliseconds).Order()];
        long Rank(int percent) => sorted[(int)Math.Ceiling(sorted.Length * percent / 100.0) - 1];
        return sorted.Length == 0 ? null : new Spread(Rank(50), Rank(99), sorted[^1]);
    }
}
