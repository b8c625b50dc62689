namespace Postrider.Webhooks;

/// <summary>When a delivery that failed is tried again: nine tries over a day.</summary>
public static class WebhookSchedule
{
    /// <summary>Longest that a receiver may ask us to wait.</summary>
    static readonly TimeSpan MostRetryAfter = TimeSpan.FromHours(1);

    /// <summary>After the first try, the second, …: 24 h 36 min in all.</summary>
    static readonly TimeSpan[] Delays =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2),
        TimeSpan.FromHours(5), TimeSpan.FromHours(8), TimeSpan.FromHours(9),
    ];

    public static int Tries => Delays.Length + 1;

    /// <summary>Null: it was the last try.</summary>
    /// <param name="tries">That were made, from 1.</param>
    /// <param name="dice">In [0, 1): up to a tenth is added, so that what failed together is not tried together.</param>
    public static TimeSpan? Next(int tries, TimeSpan? retryAfter, double dice)
    {
        if (tries > Delays.Length)
            return null;
        var delay = Delays[tries - 1] * (1 + dice / 10);
        return retryAfter is { } asked && asked > delay ? (asked < MostRetryAfter ? asked : MostRetryAfter) : delay;
    }
}
