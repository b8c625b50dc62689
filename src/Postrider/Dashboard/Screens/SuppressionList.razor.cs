using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Suppression;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>Addresses that get no mail: looked up, added, removed, brought in a file.</summary>
sealed partial class SuppressionList
{
    const long MaxFileBytes = 50_000_000;

    SuppressionQuery _asked;
    Problem? _unadded;
    Problem? _importProblem;
    string _email = "";
    string _stream = "";
    string _reason = "";
    DateTime? _until;                        // what the viewer's clock shows then
    bool _isImporting;
    long _fileBytes;
    long _readBytes;
    AppendedPart _part;
    UploadResult? _imported;

    [Inject]
    ISuppressionStore List { get; set; } = null!;

    [Inject]
    Submitter Submitter { get; set; } = null!;

    [Inject]
    DestinationUpload Upload { get; set; } = null!;

    private protected override void Ask(IQueryCollection query) => Unread = SuppressionQuery.Read(query, Submitter, out _asked);

    async Task<ListPage<SuppressedAddress>> LoadAsync(string? from, CancellationToken ct)
    {
        if (_asked.Email is { } email)
            return new ListPage<SuppressedAddress>([.. (await List.FindAsync(Viewer.Tenant, email, ct))
                .Where(one => _asked.Cause is null || one.Cause == _asked.Cause)], null);
        SuppressionPlace? after = from is not null && SuppressionQuery.TryPlace(from, out var place) ? place : null;
        var page = await List.ListAsync(Viewer.Tenant, _asked.Cause, after, ListPage.Size, ct);
        return new ListPage<SuppressedAddress>(page.Items, page.Next is { } next ? SuppressionQuery.Write(next) : null);
    }

    async Task AddAsync()
    {
        var body = new JsonObject().With("email", _email).With("stream", _stream).With("reason", _reason)
            .With("expires_at", _until is { } until ? Times.Offset(until, Viewer.Zone) : null);
        _unadded = await TryAsync(Scopes.Manage, "POST /suppressions", "/suppressions", async by =>
        {
            if (SuppressionReader.Read(body.ToBody(), Submitter, Clock.GetUtcNow(), out var unread) is not { } added)
                return unread;
            await List.AddAsync(by.Tenant, [added]);
            return null;
        }, $"{_email.Trim()} gets no more of that mail; what is queued for it ends as suppressed.");
        if (_unadded is not null)
            return;
        (_email, _reason, _stream, _until) = ("", "", "", null);
        Version++;
    }

    async Task RemoveAsync(SuppressedAddress one)
    {
        await DoAsync(Scopes.Manage, "DELETE /suppressions/{email}", "/suppressions/{email}", async by =>
            await List.RemoveAsync(by.Tenant, one.Email!, one.Stream) > 0
                ? null : ProblemCatalog.Make("not-found", "The address is not on the list any more."), $"{one.Email} gets mail again.");
        Version++;
    }

    async Task ImportAsync(InputFileChangeEventArgs change)
    {
        (_isImporting, _imported, _part) = (true, null, default);
        (_fileBytes, _readBytes) = (Math.Max(1, change.File.Size), 0);
        try
        {
            if (change.File.Size > MaxFileBytes)
            {
                _importProblem = TenantProblems.InvalidField(
                    "/file", $"{change.File.Name} is larger than {Numbers.Bytes(MaxFileBytes)}: send it with POST /suppressions/import.");
                return;
            }
            _importProblem = await TryAsync(Scopes.Manage, "POST /suppressions/import", "/suppressions/import", async by =>
            {
                await using var file = change.File.OpenReadStream(MaxFileBytes, Viewer.Ended);
                var sink = new WatchedSink(new SuppressionSink(List, by.Tenant, null, Clock), part =>
                {
                    (_part, _readBytes) = (part, file.Position);
                    StateHasChanged();
                });
                using var text = ReadDestinations.Open(file);
                (_imported, var problem) = await Upload
                    .CsvAsync(text, new Dictionary<string, string>(), null, sink, Viewer.Ended);
                return problem;
            });
        }
        finally
        {
            _isImporting = false;
            Version++;
        }
    }
}

/// <summary>How suppressions are told.</summary>
static class SuppressionWords
{
    public static object Key(SuppressedAddress one) => (one.Email, one.Stream, one.At);
}
