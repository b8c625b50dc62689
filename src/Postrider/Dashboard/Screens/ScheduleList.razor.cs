using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Dashboard.Screens;

/// <summary>What is sent at times to come.</summary>
sealed partial class ScheduleList
{
    const string Example =
        """{"name":"weekday report","cron":"0 9 * * 1-5","time_zone":"Europe/Berlin","email":{"from":"you@example.com","subject":"Report","text":"Good morning."},"recipients":["ann@example.com"]}""";

    static readonly (string? Word, string Title)[] States =
        [(null, "All"), ("active", "Active"), ("paused", "Paused"), ("archived", "Archived")];

    /// <summary>Null: all.</summary>
    [SupplyParameterFromQuery]
    public string? State { get; set; }

    [Inject]
    IScheduleStore Schedules { get; set; } = null!;

    [Inject]
    Viewer Viewer { get; set; } = null!;

    async Task<ListPage<Schedule>> LoadAsync(string? from, CancellationToken ct)
    {
        MessageId? before = from is not null && MessageId.TryParse(from, out var id) ? id : null;
        ScheduleState? state = Enum.TryParse<ScheduleState>(State, ignoreCase: true, out var word) ? word : null;
        var found = await Schedules.ListAsync(Viewer.Tenant, state, before, LiveList<Schedule>.PageSize + 1, ct);
        var rows = found.Take(LiveList<Schedule>.PageSize).ToList();
        return new ListPage<Schedule>(rows, found.Count > rows.Count ? rows[^1].Id.ToString() : null);
    }
}
