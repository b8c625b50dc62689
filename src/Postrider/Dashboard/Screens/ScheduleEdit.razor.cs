using System.Text.Json;
using Microsoft.AspNetCore.Components;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Schedules;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Makes a schedule, or changes one, as <c>POST</c> and <c>PATCH /schedules</c> do; shows when it would come while it is
/// written.</summary>
sealed partial class ScheduleEdit
{
    const int RunsShown = 5;
    const int ListsShown = 100;

    static readonly (string Kind, string Title)[] Kinds =
        [(ScheduleDraft.Again, "again and again"), (ScheduleDraft.Once, "once"), (ScheduleDraft.Listed, "several times")];

    static readonly (string Cron, string Title)[] Often =
    [
        ("0 * * * *", "every hour"), ("0 9 * * *", "every day at 9:00"), ("0 9 * * 1-5", "weekdays at 9:00"), ("0 9 * * 1", "Mondays at 9:00"),
        ("0 9 1 * *", "the first of each month at 9:00"), ("0 9 1 1 *", "the first of January at 9:00"),
    ];

    static IEnumerable<string> Zones => TimeZoneInfo.GetSystemTimeZones().Where(zone => zone.HasIanaId).Select(zone => zone.Id).Order();

    ScheduleDraft? _draft;
    string? _read;          // whose draft it is
    IReadOnlyList<RecipientList> _lists = [];
    IReadOnlyList<OccurrenceAnswer> _next = [];
    int _kept;              // recipients it has, which are not shown
    Problem? _unfit;        // with when it is to come

    /// <summary>Null: a new one.</summary>
    [Parameter]
    public string? Id { get; set; }

    [Inject]
    ScheduleBook Book { get; set; } = null!;

    [Inject]
    IListStore Lists { get; set; } = null!;

    [Inject]
    SchedulePages Answers { get; set; } = null!;

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (_draft is not null && _read == Id)
            return;
        _lists = await Lists.ListAsync(Viewer.Tenant, null, ListsShown, ct);
        (_draft, _read) = (await DraftAsync(ct), Id);
        await LookAheadAsync();
    }

    /// <summary>Null: there is no such schedule, or nothing of it can be changed.</summary>
    async Task<ScheduleDraft?> DraftAsync(CancellationToken ct)
    {
        if (Id is null)
            return new ScheduleDraft(Viewer.Zone);
        if (!MessageId.TryParse(Id, out var id)
            || await Book.FindAsync(Viewer.Tenant, id, ct) is not { State: not ScheduleState.Archived } schedule)
            return null;
        var whole = await Answers.WholeAsync(schedule, ct);
        using var email = JsonDocument.Parse(schedule.Email.Json);
        var draft = new ScheduleDraft(whole, ScheduleReader.Mail(email.RootElement, out _) ?? new SubmissionRequest(), Viewer.Zone);
        _kept = draft.Recipients.Length == 0 && draft.List.Length == 0 ? whole.RecipientCount ?? 0 : 0;
        return draft;
    }

    async Task LookAheadAsync()
    {
        if (_draft is not { } draft)
            return;
        (var times, _unfit) = await Book.PreviewAsync(draft.When(Viewer.Zone), RunsShown, CancellationToken.None);
        _next = times is null ? [] : SchedulePages.Times(times, TimeZoneRules.Find(draft.Zone)).Data;
    }

    Task ChooseAsync(string kind)
    {
        _draft!.Kind = kind;
        // Tomorrow at nine, so that there is something to change.
        _draft.At ??= TimeZoneInfo.ConvertTime(Clock.GetUtcNow(), Viewer.Zone).Date.AddDays(1).AddHours(9);
        return LookAheadAsync();
    }

    Task TakeCronAsync(ChangeEventArgs change)
    {
        if (change.Value is string { Length: > 0 } cron)
            _draft!.Cron = cron;
        return LookAheadAsync();
    }

    Task TakeTimesAsync(string times)
    {
        _draft!.Times = times;
        return LookAheadAsync();
    }

    async Task SaveAsync()
    {
        var request = _draft!.ToRequest(Viewer.Zone, out var problem);
        Refused = problem;
        if (request is null)
            return;
        Schedule? stored = null;
        var (action, target) = Id is null ? ("POST /schedules", "/schedules") : ("PATCH /schedules/{id}", $"/schedules/{Id}");
        await DoAsync(Scopes.Send, action, target, async by =>
        {
            var result = Id is null ? await Book.AddAsync(by.Tenant, request, null, CancellationToken.None)
                : MessageId.TryParse(Id, out var id) ? await Book.EditAsync(by.Tenant, id, request, CancellationToken.None)
                : default;
            stored = result.Schedule;
            return result.Problem;
        });
        if (stored is not null)
            Pages.NavigateTo($"schedules/{stored.Id}");
    }
}
