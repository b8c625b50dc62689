using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Hosting;

namespace Postrider.Api;

/// <summary><c>/backup</c>: a copy of the whole database of a server on SQLite, as of one moment.</summary>
static class BackupEndpoints
{
    public static void MapBackup(this IEndpointRouteBuilder app) =>
        app.MapPost("/backup", async Task<Results<FileStreamHttpResult, ProblemResult>> (RunningBackup backup, CancellationToken ct) =>
            await backup.MakeAsync(ct) switch
            {
                // Its length goes before it, so that whoever reads it knows whether it is whole.
                ({ } copy, _) => TypedResults.Stream(copy, "application/vnd.sqlite3"),
                (_, var refusal) => new ProblemResult(ProblemCatalog.Make("backup-unavailable", refusal!)),
            }).For(Access.Installation)
            .Says("makeBackup", "A copy of the whole database of a server on SQLite, made while it works, as a SQLite file. Everything that was "
                + "acknowledged before the call is in it; the master key is not. postrider restore puts it in place.", null, "backup-unavailable");
}
