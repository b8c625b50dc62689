using System.Globalization;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Dashboard.Parts;

/// <summary>A schedule while it is written.</summary>
sealed class ScheduleDraft
{
    public const string Again = "cron";
    public const string Once = "once";
    public const string Listed = "list";
    const string LocalForm = "yyyy-MM-dd'T'HH:mm:ss";
    const string Never = "never";

    readonly ScheduleAnswer? _before;
    readonly ScheduleRequest? _shown; // as it was when nothing was typed yet

    public string Name { get; set; } = "";

    /// <summary>One of the three above.</summary>
    public string Kind { get; set; } = Again;
    public string Cron { get; set; } = "0 9 * * 1-5";

    /// <summary>By the schedule's clock.</summary>
    public DateTime? At { get; set; }

    /// <summary>A time a line.</summary>
    public string Times { get; set; } = "";
    public string Zone { get; set; }

    /// <summary>What the viewer's clock shows then.</summary>
    public DateTime? StartsAt { get; set; }

    /// <summary>What the viewer's clock shows then.</summary>
    public DateTime? EndsAt { get; set; }
    public string Missed { get; set; } = "latest";
    public string Overlap { get; set; } = "allow";

    /// <summary>Addresses; empty of a schedule that has more than are shown, and then they stay.</summary>
    public string Recipients { get; set; } = "";

    /// <summary>A stored list; empty: none.</summary>
    public string List { get; set; } = "";
    public MailDraft Mail { get; } = new() { Stream = "bulk" };

    public ScheduleDraft(TimeZoneInfo zone) => Zone = zone.Id;

    /// <summary>A schedule to be changed.</summary>
    /// <param name="whole">With its mail.</param>
    public ScheduleDraft(ScheduleAnswer whole, SubmissionRequest mail, TimeZoneInfo viewer)
    {
        _before = whole;
        (Name, Zone, Missed, Overlap, List) = (whole.Name, whole.TimeZone, whole.Missed, whole.Overlap, whole.List ?? "");
        Mail = MailDraft.Of(mail);
        if (whole.Cron is { } cron)
            Cron = cron;
        else if (whole.At is [var only] && DateTime.TryParseExact(
            only, LocalForm, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at))
            (Kind, At) = (Once, at);
        else
            (Kind, Times) = (Listed, string.Join('\n', whole.At ?? []));
        (StartsAt, EndsAt) = (Local(whole.StartsAt, viewer), Local(whole.EndsAt, viewer));
        if (whole.Recipients is { } own && own.All(one => one.Data is null))
            Recipients = string.Join('\n', own.Select(one => one.Name is null ? one.Email : $"{one.Name} <{one.Email}>"));
        _shown = Request(viewer, out _);
    }

    static DateTime? Local(DateTimeOffset? at, TimeZoneInfo zone) =>
        at is { } instant ? TimeZoneInfo.ConvertTime(instant, zone).DateTime : null;

    /// <summary>When it is to come, as it stands here.</summary>
    public ScheduleRequest When(TimeZoneInfo viewer) => new()
    {
        Cron = Kind == Again ? Cron.Trim() : null,
        At = Kind switch
        {
            Once => At is { } at ? [at.ToString(LocalForm, CultureInfo.InvariantCulture)] : [],
            Listed => Times.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            _ => null,
        },
        TimeZone = Zone.Trim(),
        StartsAt = StartsAt is { } start ? Parts.Times.Offset(start, viewer) : null,
        EndsAt = EndsAt is { } end ? Parts.Times.Offset(end, viewer) : null,
        Missed = Missed,
        Overlap = Overlap,
    };

    ScheduleRequest? Request(TimeZoneInfo viewer, out Problem? problem)
    {
        var body = Mail.ToBody(_before?.Email?.GetRawText(), out problem);
        return body is null ? null : When(viewer) with
        {
            Name = Name.Trim(),
            Email = body,
            List = MessageId.TryParse(List, out var list) ? list : null,
            Recipients = List.Length == 0 && Recipients.Trim().Length > 0
                ? [.. AddressList.Split(Recipients).Select(address => new Destination(address))] : null,
        };
    }

    /// <summary>A new schedule, or of one that there is what was changed. Null: <paramref name="problem"/> says why.</summary>
    public ScheduleRequest? ToRequest(TimeZoneInfo viewer, out Problem? problem)
    {
        var request = Request(viewer, out problem);
        if (request is null || _shown is not { } was)
            return request;
        var isSameTime = request.Cron == was.Cron && (request.At ?? []).SequenceEqual(was.At ?? []) && request.TimeZone == was.TimeZone;
        return request with
        {
            Name = request.Name == was.Name ? null : request.Name,
            Cron = isSameTime ? null : request.Cron,
            At = isSameTime ? null : request.At,
            TimeZone = isSameTime ? null : request.TimeZone,
            StartsAt = Changed(was.StartsAt, request.StartsAt),
            EndsAt = Changed(was.EndsAt, request.EndsAt),
            Missed = request.Missed == was.Missed ? null : request.Missed,
            Overlap = request.Overlap == was.Overlap ? null : request.Overlap,
            Email = request.Email == was.Email ? null : request.Email,
            List = request.List == was.List ? null : request.List,
            Recipients = (request.Recipients ?? []).SequenceEqual(was.Recipients ?? []) && was.List is null ? null : request.Recipients,
        };
    }

    static string? Changed(string? was, string? now) => was == now ? null : now ?? Never;
}
