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

    static readonly Problem Gone = new("not-found", StatusCodes.Status404NotFound, "Not found", "The schedule is not there any more.");

    ScheduleAnswer? _schedule;
    ScheduleReportAnswer? _report;
    string _from = "";
    string _subject = "";
    string? _batch;     // of what was done
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
    SchedulePages Answers { get; set; } = null!;

    [Inject]
    DestinationUpload Upload { get; set; } = null!;

    protected override TimeSpan Every => TimeSpan.FromSeconds(10);

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
        var runs = ListPage.Of(await Schedules.RunsAsync(id, ListPage.Id(from), ListPage.Wanted, ct), run => run.Id.ToString());
        var rows = new List<ScheduleRunAnswer>();
        foreach (var run in runs.Rows)
            rows.Add(await Answers.RunAsync(Viewer.Tenant, run, ct));
        return new ListPage<ScheduleRunAnswer>(rows, runs.Next);
    }

    Task<bool> PauseAsync() => ChangeAsync("POST", "/pause", "Paused. Nothing comes until it is resumed.", async (tenant, id) =>
        (await Book.PauseAsync(tenant, id, CancellationToken.None)).Problem);

    Task<bool> ResumeAsync() => ChangeAsync("POST", "/resume", "It goes on from now; what would have come meanwhile does not come.", async (tenant, id) =>
        (await Book.ResumeAsync(tenant, id, CancellationToken.None)).Problem);

    Task<bool> ArchiveAsync() => ChangeAsync("DELETE", "", "Archived. It does not come again; what it sent goes on.", (tenant, id) =>
        Book.ArchiveAsync(tenant, id, CancellationToken.None));

    Task<bool> RunAsync() => ChangeAsync("POST", "/run", "Sent once now. When it comes next stays as it is.", async (tenant, id) =>
    {
        var (run, problem, _) = await Book.RunAsync(tenant, id, null, CancellationToken.None);
        _batch = run?.Id.ToString();
        return problem;
    });

    /// <summary>As <c>PUT /schedules/{id}/recipients</c> does: those that it has stay until all of the others are there.</summary>
    async Task TakeRecipientsAsync()
    {
        _leftOut = [];
        if (!_recipients!.IsReady())
            return;
        await ChangeAsync("PUT", "/recipients", "From the next run on it sends to these.", async (tenant, id) =>
        {
            var own = await Book.NewRecipientsAsync(tenant);
            var (read, problem) = await _recipients.UploadAsync(Upload, new ListEndpoints.ListSink(Lists, tenant, own), Viewer.Ended);
            _leftOut = read?.Errors ?? [];
            if (read is { Part.Accepted: 0 })
                problem = ProblemCatalog.Make("no-recipients", "No line names a recipient that can be sent to, so it keeps those it has.");
            problem ??= (await Book.TakeRecipientsAsync(tenant, id, own, CancellationToken.None)).Problem;
            if (problem is not null)
                await Lists.DeleteAsync(tenant, own);
            return problem;
        });
    }

    Task<bool> ChangeAsync(string method, string verb, string told, Func<TenantId, MessageId, Task<Problem?>> change)
    {
        _batch = null;
        return DoAsync(Scopes.Send, $"{method} /schedules/{{id}}{verb}", $"/schedules/{Id}{verb}", by =>
            MessageId.TryParse(Id, out var id) ? change(by.Tenant, id) : Task.FromResult<Problem?>(Gone), told);
    }

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
