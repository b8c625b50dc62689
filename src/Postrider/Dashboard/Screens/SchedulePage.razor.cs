using System.Globalization;
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

/// <summary>A schedule: when it comes, what became of its runs, and what may be done to it.</summary>
sealed partial class SchedulePage
{
    /// <summary>As the report of the API.</summary>
    const int RunsCounted = 1_000;

    const int ShownErrors = 10;

    static readonly NeedsAttribute SendLater = new(Scopes.Send);
    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The schedule is not there any more.");

    ScheduleAnswer? _schedule;
    ScheduleReportAnswer? _report;
    string _from = "";
    string _subject = "";
    string? _done;
    string? _batch;     // of what _done tells
    Problem? _problem;
    RecipientSource? _recipients;
    IReadOnlyList<DestinationErrorAnswer> _leftOut = [];    // lines that cannot be sent to

    [Parameter]
    public string Id { get; set; } = "";

    [Inject]
    ScheduleBook Book { get; set; } = null!;

    [Inject]
    IScheduleStore Schedules { get; set; } = null!;

    [Inject]
    RecipientLists Lists { get; set; } = null!;

    [Inject]
    ScreenActions Actions { get; set; } = null!;

    [Inject]
    IServiceProvider Services { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(10);

    SchedulePages Answers => Services.GetRequiredService<SchedulePages>();

    protected override async Task ReadAsync(CancellationToken ct)
    {
        if (!MessageId.TryParse(Id, out var id) || await Book.FindAsync(Viewer.Tenant, id, ct) is not { } schedule)
        {
            _schedule = null;
            return;
        }
        _schedule = await Answers.WholeAsync(schedule, ct);
        _report = SchedulePages.Report(schedule, await Schedules.ReportAsync(schedule.Id, RunsCounted, ct));
        using var email = JsonDocument.Parse(schedule.Email.Json);
        var mail = ScheduleReader.Mail(email.RootElement, out _);
        _from = mail?.From?.Text ?? "–";
        _subject = mail?.Subject ?? (mail?.Template is { } use ? $"of the template {use.Name}" : "–");
    }

    async Task<ListPage<ScheduleRunAnswer>> LoadAsync(string? from, CancellationToken ct)
    {
        // Runs are read by their schedule alone, so whose it is comes first.
        if (!MessageId.TryParse(Id, out var id) || await Book.FindAsync(Viewer.Tenant, id, ct) is null)
            return new ListPage<ScheduleRunAnswer>([], null);
        MessageId? before = from is not null && MessageId.TryParse(from, out var place) ? place : null;
        const int Size = LiveList<ScheduleRunAnswer>.PageSize;
        var found = await Schedules.RunsAsync(id, before, Size + 1, ct);
        var rows = new List<ScheduleRunAnswer>();
        foreach (var run in found.Take(Size))
            rows.Add(await Answers.RunAsync(Viewer.Tenant, run, ct));
        return new ListPage<ScheduleRunAnswer>(rows, found.Count > Size ? rows[^1].Id : null);
    }

    Task PauseAsync() => ChangeAsync("POST", "/pause", "Paused. Nothing comes until it is resumed.", async (tenant, id) =>
        (await Book.PauseAsync(tenant, id, CancellationToken.None)).Problem);

    Task ResumeAsync() => ChangeAsync("POST", "/resume", "It goes on from now; what would have come meanwhile does not come.", async (tenant, id) =>
        (await Book.ResumeAsync(tenant, id, CancellationToken.None)).Problem);

    Task ArchiveAsync() => ChangeAsync("DELETE", "", "Archived. It does not come again; what it sent goes on.", (tenant, id) =>
        Book.ArchiveAsync(tenant, id, CancellationToken.None));

    Task RunAsync() => ChangeAsync("POST", "/run", "Sent once now. When it comes next stays as it is.", async (tenant, id) =>
    {
        var (run, problem, _) = await Book.RunAsync(tenant, id, null, CancellationToken.None);
        _batch = run?.Id.ToString();
        return problem;
    });

    /// <summary>As <c>PUT /schedules/{id}/recipients</c> does: those that it has stay until all of the others are there.</summary>
    async Task TakeRecipientsAsync()
    {
        _leftOut = [];
        if (!await _recipients!.IsReadyAsync())
            return;
        await ChangeAsync("PUT", "/recipients", "From the next run on it sends to these.", async (tenant, id) =>
        {
            var own = await Book.NewRecipientsAsync(tenant);
            var upload = Services.GetRequiredService<DestinationUpload>();
            var (read, problem) = await _recipients.UploadAsync(upload, new ListEndpoints.ListSink(Lists, tenant, own), Viewer.Ended);
            _leftOut = read?.Errors ?? [];
            if (read is { Part.Accepted: 0 })
                problem = ProblemCatalog.Make("no-recipients", "No line names a recipient that can be sent to, so it keeps those it has.");
            problem ??= (await Book.TakeRecipientsAsync(tenant, id, own, CancellationToken.None)).Problem;
            if (problem is not null)
                await Lists.DeleteAsync(tenant, own);
            return problem;
        });
    }

    async Task ChangeAsync(string method, string verb, string done, Func<TenantId, MessageId, Task<Problem?>> change)
    {
        (_done, _batch) = (null, null);
        _problem = await Actions.DoAsync(SendLater, $"{method} /schedules/{{id}}{verb}", $"/schedules/{Id}{verb}", by =>
            MessageId.TryParse(Id, out var id) ? change(by.Tenant, id) : Task.FromResult<Problem?>(Gone));
        _done = _problem is null ? done : null;
        await LookAsync();
    }

    static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    static IEnumerable<(string Word, long Count)> Tiles(ScheduleReportAnswer report)
    {
        var (runs, c) = (report.Runs, report.Counts);
        yield return ("runs", runs.Enqueued);
        (string Word, long? Count)[] more =
        [
            ("runs missed", runs.Missed), ("runs skipped", runs.Skipped), ("runs failed", runs.Failed),
            ("waiting", c.Waiting + c.Queued + c.Leased + c.Unknown + c.Held), ("sent", c.Sent + c.Delivered), ("delivered", c.Delivered),
            ("bounced", c.Bounced), ("failed", c.Failed + c.Expired), ("suppressed", c.Suppressed), ("opened", c.Opened), ("clicked", c.Clicked),
        ];
        foreach (var (word, count) in more)
            if (count > 0)
                yield return (word, count.Value);
    }
}
