using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Retention;

namespace Postrider.Api;

/// <summary><c>/retention</c>: how long things are kept, what would go now, and what has gone.</summary>
static class RetentionEndpoints
{
    public static void MapRetention(this IEndpointRouteBuilder app) =>
        app.MapGet("/retention", ListAsync).For(Access.Installation)
            .Answers<RetentionListAnswer>(200)
            .Says("getRetention",
                "How long each kind of data is kept, what of it is old enough to go now, what has gone, and how long the disk lasts. "
                + "Deletes nothing.");

    static async Task<JsonHttpResult<RetentionListAnswer>> ListAsync(
        IRetentionStore store, RetentionOptions options, DiskOutlook outlook, TimeProvider clock, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var kinds = new List<RetentionAnswer>();
        foreach (var kind in Enum.GetValues<RetentionKind>())
        {
            var age = options.AgeOf(kind);
            var status = await store.LookAsync(kind, now - age, ct);
            kinds.Add(new RetentionAnswer(
                kind, (long?)age?.TotalSeconds, status.Due, status.DueBytes, status.Removed, status.RemovedBytes, status.LastAt));
        }
        var disk = await outlook.ForecastNowAsync(ct);
        return ApiJson.Answer(new RetentionListAnswer(
            kinds, new DiskAnswer(disk.Bytes, (long?)disk.BytesPerDay, disk.RoomBytes, (long?)disk.FullIn?.TotalSeconds)));
    }
}

/// <summary>Answer to <c>GET /retention</c>.</summary>
sealed record RetentionListAnswer(IReadOnlyList<RetentionAnswer> Data, DiskAnswer Disk);

/// <summary>How long the disk lasts if the database grows on as it has in the last days.</summary>
/// <param name="Bytes">The data in the database now.</param>
/// <param name="BytesPerDay">By which it grows, or shrinks below zero; null: known after twelve hours.</param>
/// <param name="RoomBytes">What it may still grow by until no mail is accepted; null: not known, as on PostgreSQL, whose disk is
/// elsewhere, where <c>Storage:DatabaseMaxBytes</c> does not say it.</param>
/// <param name="FullInSeconds">Null: it does not grow, or too little is known.</param>
sealed record DiskAnswer(long? Bytes, long? BytesPerDay, long? RoomBytes, long? FullInSeconds);

/// <summary>A kind of data.</summary>
/// <param name="KeepSeconds">How old it becomes; null: it is kept for ever.</param>
/// <param name="Due">Rows that go next; null: not counted, or too many to be counted quickly.</param>
/// <param name="DueBytes">Contents among them.</param>
/// <param name="Removed">Rows that have gone since the beginning; of events on PostgreSQL, days.</param>
/// <param name="LastAt">When something went last; null: nothing has.</param>
sealed record RetentionAnswer(
    RetentionKind Kind, long? KeepSeconds, long? Due, long? DueBytes, long Removed, long RemovedBytes, DateTimeOffset? LastAt);
