using System.ComponentModel.DataAnnotations;

namespace Postrider.Alerts;

/// <summary>What is watched, and who hears of it. Section <c>Alerts</c>.</summary>
public sealed class AlertOptions
{
    /// <summary>Addresses that get a mail, separated by white space; through another transport than the one it is about, past the queue.
    /// Empty: none.</summary>
    public string MailTo { get; set; } = "";

    /// <summary>Whom these mails are from; must be an address that the transports may send from. Empty: no mail.</summary>
    public string MailFrom { get; set; } = "";

    /// <summary>An address that gets a POST with JSON. Empty: none.</summary>
    public string Webhook { get; set; } = "";

    /// <summary>A program that is run with the same JSON on its standard input; without arguments. Empty: none.</summary>
    public string Command { get; set; } = "";

    /// <summary>How long something must be wrong before anybody hears of it; that nothing of a route can go out is told at once. Default 1
    /// minute.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan RaiseAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long it must be well again. Default 5 minutes.</summary>
    [Range(typeof(TimeSpan), "00:02:00", "1.00:00:00")]
    public TimeSpan ResolveAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long transactional mail may be due. Default 5 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan OldestDue { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long bulk mail may be due. Default 1 hour.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan OldestDueBulk { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Dead letters in one hour that are too many. Default 50.</summary>
    [Range(1, int.MaxValue)]
    public int DeadLettersPerHour { get; set; } = 50;

    /// <summary>Free disk in bytes that is too little. Default 2 GB.</summary>
    [Range(0, long.MaxValue)]
    public long DiskFreeBytes { get; set; } = 2_000_000_000;

    /// <summary>How long a provider that used to report may say nothing while it takes mail. Default 6 hours.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan CallbacksSilent { get; set; } = TimeSpan.FromHours(6);

    /// <summary>The same of deliveries alone. Default 12 hours.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan NothingDelivered { get; set; } = TimeSpan.FromHours(12);
}
