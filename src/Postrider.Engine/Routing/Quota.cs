using System.Globalization;

namespace Postrider.Routing;

/// <summary>What a quota counts over; in UTC.</summary>
public enum QuotaSpan : byte { Day = 0, Month = 1 }

/// <summary>So many recipients in each day or month of UTC. Never more; a node that dies may make it a few less.</summary>
/// <param name="Count">1 to 10,000,000,000.</param>
public readonly record struct Quota(long Count, QuotaSpan Span)
{
    public const string Expected = "is recipients per day or month (UTC), such as 50000/d, or both: 50000/d,1000000/month";

    const long Most = 10_000_000_000;

    /// <summary>One quota, or one for the day and one for the month, with a comma.</summary>
    public static bool TryParse(string text, out IReadOnlyList<Quota> quotas)
    {
        var parsed = new List<Quota>();
        quotas = parsed;
        foreach (var part in text.Split(','))
        {
            if (part.Split('/') is not [var number, var span]
                || !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is < 1 or > Most)
                return false;
            QuotaSpan? over = span switch { "d" => QuotaSpan.Day, "month" => QuotaSpan.Month, _ => null };
            if (over is not { } known || parsed.Exists(other => other.Span == known))
                return false;
            parsed.Add(new Quota(count, known));
        }
        return true;
    }

    /// <summary>Few statements while much is left, and little lost with a node that dies.</summary>
    const long LargestPart = 1_000;
    const long PartsOfTheRest = 100;

    /// <summary>How much a node gets that asks for <paramref name="wanted"/> while so much is used.</summary>
    public long PartOf(long used, long wanted)
    {
        var left = Math.Max(0, Count - used);
        return Math.Min(left, Math.Max(wanted, Math.Min(LargestPart, left / PartsOfTheRest)));
    }

    public DateTimeOffset StartOf(DateTimeOffset now) => Span switch
    {
        QuotaSpan.Day => new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero),
        QuotaSpan.Month => new DateTimeOffset(now.UtcDateTime.Year, now.UtcDateTime.Month, 1, 0, 0, 0, TimeSpan.Zero),
    };

    public DateTimeOffset EndOf(DateTimeOffset now) => Span switch
    {
        QuotaSpan.Day => StartOf(now).AddDays(1),
        QuotaSpan.Month => StartOf(now).AddMonths(1),
    };

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Count}/{(Span == QuotaSpan.Day ? "d" : "month")}");
}

/// <summary>What a node asks of a quota, or gives back of it.</summary>
/// <param name="Scope">Whose it is: <c>transport ses-eu</c>, <c>tenant 3</c>.</param>
/// <param name="WindowStart">Of the day or month.</param>
/// <param name="Count">Recipients wanted at least; more are granted while much is left.</param>
public readonly record struct QuotaAsk(string Scope, Quota Quota, DateTimeOffset WindowStart, long Count);

/// <summary>Quotas as they are counted over restarts, for all nodes.</summary>
public interface IQuotaStore
{
    /// <summary>Takes a part of each, on disk when the task completes. In their order; 0: nothing is left of it.</summary>
    Task<IReadOnlyList<long>> TakeAsync(IReadOnlyList<QuotaAsk> asks);

    Task GiveBackAsync(IReadOnlyList<QuotaAsk> unused);

    /// <summary>What nodes took of each, whether or not they have used it yet. In their order; the counts do not matter.</summary>
    Task<IReadOnlyList<long>> UsedAsync(IReadOnlyList<QuotaAsk> quotas, CancellationToken ct);
}

/// <summary>The part of a quota that this node holds. Guarded by the lock of who owns it.</summary>
/// <remarks>Parts are taken in advance, on disk: a hundredth of what is left, at most 1,000. What a node holds when it dies counts as
/// used.</remarks>
sealed class QuotaShare(string scope, Quota quota)
{
    DateTimeOffset _windowStart = DateTimeOffset.MinValue;
    long _held;
    long _granted;      // at the last answer
    long _wanted;
    bool _isAsking;
    bool _isSpent;
    long _toReturn;     // of this window

    public Quota Quota => quota;

    /// <summary>Whether so many may go.</summary>
    public bool Has(long recipients, DateTimeOffset now)
    {
        Turn(now);
        return _held >= recipients;
    }

    /// <summary>When there is not enough: until when. Null: as soon as the store answers.</summary>
    public DateTimeOffset? SpentUntil(DateTimeOffset now) => _isSpent ? quota.EndOf(now) : null;

    /// <summary>So many would go: a new part is asked for before the last one is used up.</summary>
    public void Want(long recipients, DateTimeOffset now)
    {
        Turn(now);
        if (!_isSpent && !_isAsking && _held - recipients < _granted / 2)
            _wanted = Math.Max(_wanted, recipients);
    }

    public void Use(long recipients) => _held -= recipients;

    public bool WouldAsk => _wanted > 0 && !_isAsking;

    /// <summary>Then <see cref="Granted"/> or <see cref="AskFailed"/> follows.</summary>
    public QuotaAsk? NextAsk()
    {
        if (!WouldAsk)
            return null;
        _isAsking = true;
        return new QuotaAsk(scope, quota, _windowStart, _wanted);
    }

    public void Granted(QuotaAsk ask, long count, DateTimeOffset now)
    {
        Turn(now);
        _isAsking = false;
        if (ask.WindowStart != _windowStart)
            return;
        (_granted, _wanted) = (count, 0);
        _held += count;
        // Too little for an envelope of many: others may have the rest.
        _isSpent = count == 0 || _held < ask.Count;
        if (!_isSpent || count == 0)
            return;
        _toReturn += _held;
        _held = 0;
    }

    public void AskFailed() => _isAsking = false;

    /// <param name="all">The node stops.</param>
    public QuotaAsk? TakeUnused(bool all)
    {
        if (all)
            (_toReturn, _held) = (_toReturn + _held, 0);
        var unused = _toReturn;
        _toReturn = 0;
        return unused > 0 ? new QuotaAsk(scope, quota, _windowStart, unused) : null;
    }

    /// <summary>It could not be given back: the next time.</summary>
    public void KeepUnused(QuotaAsk unused)
    {
        if (unused.WindowStart == _windowStart)
            _toReturn += unused.Count;
    }

    public QuotaAsk Of(DateTimeOffset now) => new(scope, quota, quota.StartOf(now), 0);

    void Turn(DateTimeOffset now)
    {
        if (quota.StartOf(now) is var start && start == _windowStart)
            return;
        (_windowStart, _held, _granted, _wanted, _isSpent, _toReturn) = (start, 0, 0, 0, false, 0);
    }
}
