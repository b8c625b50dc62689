using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Postrider.Feedback;
using Postrider.Providers;

namespace Postrider.Tracking;

/// <summary>One request to a tracking address with a genuine token.</summary>
/// <param name="WhyMachine">Null: a person, as far as the request shows.</param>
public sealed record Hit(TrackingToken Token, DateTimeOffset At, string? WhyMachine, string? UserAgent, string? Ip);

/// <summary>Opens and clicks on their way to the store, in memory: no request waits for the disk, and mail waits for no request. A crash
/// may lose the last second of them.</summary>
/// <remarks>
/// What one recipient repeats within <see cref="Window"/> is one: ten thousand requests in a second for one address are one write. The
/// store knows it again by its key, whichever node it came to. How many one message keeps is bounded in the store.
/// </remarks>
public sealed class HitBook(TrackingOptions options, TimeProvider clock)
{
    static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>Nobody follows so many links of one mail within a second; what looks for bad ones does.</summary>
    const int BurstOfLinks = 3;

    readonly Lock _lock = new();
    readonly Dictionary<string, Hit> _waiting = []; // by the key of the report; guarded by _lock
    long _dropped; // guarded by _lock

    /// <summary>Keeps it to be stored, unless it is known, too old or too many wait.</summary>
    public void Add(Hit hit)
    {
        if (clock.GetUtcNow() - hit.Token.Message.At > options.RecordFor)
            return;
        var key = KeyOf(hit);
        lock (_lock)
        {
            if (_waiting.ContainsKey(key))
                return;
            if (_waiting.Count < options.MaxWaiting)
                _waiting.Add(key, hit);
            else
                _dropped++;
        }
    }

    /// <summary>What is to be stored now, the oldest first, at most <paramref name="most"/>; it is here no more.</summary>
    public IReadOnlyList<FeedbackReport> Take(int most)
    {
        KeyValuePair<string, Hit>[] taken;
        lock (_lock)
        {
            taken = [.. _waiting.OrderBy(waiting => waiting.Value.At).Take(most)];
            foreach (var (key, _) in taken)
                _waiting.Remove(key);
        }
        var bursts = taken.Where(one => one.Value.Token.Kind == HitKind.Click)
            .GroupBy(one => (one.Value.Token.Message, one.Value.Token.N))
            .Where(clicks => clicks.DistinctBy(click => click.Value.Token.Target).Count() >= BurstOfLinks)
            .Select(clicks => clicks.Key).ToHashSet();
        return [.. taken.Select(one => Report(one.Key, bursts.Contains((one.Value.Token.Message, one.Value.Token.N))
            ? one.Value with { WhyMachine = one.Value.WhyMachine ?? "burst" } : one.Value))];
    }

    /// <summary>How many were dropped since this was last asked.</summary>
    public long TakeDropped()
    {
        lock (_lock)
        {
            var dropped = _dropped;
            _dropped = 0;
            return dropped;
        }
    }

    static string KeyOf(Hit hit)
    {
        var target = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(hit.Token.Target)), 0, 8);
        var window = hit.At.Ticks / Window.Ticks;
        return string.Create(CultureInfo.InvariantCulture,
            $"{hit.Token.Message.Value}/{hit.Token.N}/{(byte)hit.Token.Kind}/{target}/{(hit.WhyMachine is null ? 'p' : 'm')}/{window}");
    }

    static FeedbackReport Report(string key, Hit hit) => new()
    {
        Vendor = FeedbackReport.Tracking,
        Transport = null,
        Message = hit.Token.Message,
        N = hit.Token.N,
        Event = new FeedbackEvent
        {
            Kind = hit.Token.Kind == HitKind.Open ? FeedbackKind.Opened : FeedbackKind.Clicked,
            Type = hit.WhyMachine ?? "person",
            Key = key,
            At = hit.At,
            Url = hit.Token.Kind == HitKind.Click ? hit.Token.Target : null,
            UserAgent = hit.UserAgent,
            Ip = hit.Ip,
            IsMachine = hit.WhyMachine is not null,
        },
    };
}
