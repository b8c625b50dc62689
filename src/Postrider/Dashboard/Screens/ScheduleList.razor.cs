using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
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

    async Task<ListPage<Schedule>> LoadAsync(string? from, CancellationToken ct)
    {
        ScheduleState? state = Enum.TryParse<ScheduleState>(State, ignoreCase: true, out var word) ? word : null;
        var found = await Schedules.ListAsync(Viewer.Tenant, state, ListPage.Id(from), ListPage.Wanted, ct);
        return ListPage.Of(found, schedule => schedule.Id.ToString());
    }
}
