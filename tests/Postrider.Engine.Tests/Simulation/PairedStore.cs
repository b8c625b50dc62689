using System.Globalization;
using Postrider.Engine.Tests.Storage;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Storage.Rules;
using Xunit;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>A node's way to the model and to an engine at once: each call goes to both, and both must answer the same.</summary>
sealed class PairedStore(ModelStore model, IStoreUnderTest engine) : ISimulatedStore
{
    IQueueStore Engine => engine.Store;

    public bool IsAway { get; set; }

    /// <summary>Of calls whose caller must be able to live with it; what a lost lease comes to is the engine's own matter.</summary>
    public int RepliesToLose { get; set; }

    public async Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct) => MayBeLost(await BothAsync(
        "accept", s => s.AcceptAsync(acceptance, ct),
        r => r is AcceptResult.Accepted a ? $"accepted, suppressed {Words(a.Suppressed)}" : r.GetType().Name));

    public Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct) =>
        BothAsync("lease", s => s.LeaseAsync(key, permits, owner, now, alone, ct), leases => Words(leases.Select(Describe)));

    public async Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct) =>
        MayBeLost(await BothAsync("release", async s =>
        {
            await s.ReleaseAsync(leases, dueAt, reason, ct);
            return true;
        }));

    public async Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        MayBeLost(await BothAsync("commit point", s => s.CommitPointAsync(lease, transport, now, ct)));

    public async Task<RecordResult> RecordAsync(AttemptRecord record) => MayBeLost(await BothAsync("record", s => s.RecordAsync(record)));

    public Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct) =>
        BothAsync("sweep", s => s.SweepAsync(owner, now, settleAt, ct));

    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        BothAsync("settle", s => s.SettleAsync(now, limit, ct));

    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        BothAsync("expire", s => s.ExpireAsync(now, limit, ct));

    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) =>
        BothAsync("hasten", s => s.HastenAsync(now, latest, after, limit));

    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) => Task.FromResult(0);

    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct) =>
        BothAsync("due keys", s => s.DueKeysAsync(ct), keys => Words(keys.Select(k => k.ToString()).Order(StringComparer.Ordinal)));

    public async Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        MayBeLost(await BothAsync("cancel", s => s.CancelAsync(tenant, message, now, ct)));

    public async Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        MayBeLost(await BothAsync("retry", s => s.RetryAsync(tenant, message, bounced, discarded, now, expiresAt, ct)));

    public async Task<bool?> RescheduleAsync(
        TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct) =>
        MayBeLost(await BothAsync("reschedule", s => s.RescheduleAsync(tenant, message, sendAt, expiresAt, ct)));

    public async Task<bool> ExistsAsync(MessageId id)
    {
        var there = await model.ExistsAsync(id);
        Agree("exists", there, await engine.Reader.ExistsAsync(id, default));
        return there;
    }

    public async Task<FeedbackResult> ReportAsync(FeedbackReport report, DateTimeOffset now)
    {
        ThrowIfAway();
        var result = await model.ReportAsync(report, now);
        Agree("report", result, Assert.Single(await engine.Feedback.ApplyAsync([report], now, default)));
        return result;
    }

    public async Task LookAtWaitingReportsAsync(DateTimeOffset now)
    {
        ThrowIfAway();
        // Others are left of the histories before this one.
        var waiting = (await engine.Feedback.WaitingAsync(now, 1000, default))
            .Where(w => w.Message is { } message && model.Tables.Messages.ContainsKey(message.Value)).ToList();
        var modelled = model.Tables.Waiting.Where(w => w.RetryAt <= now.Ms).ToDictionary(w => w.Key);
        Agree("waiting reports", Words(modelled.Keys.Order()), Words(waiting.Select(Reporting.KeyOf).Order()));
        foreach (var report in waiting)
        {
            var result = await model.ReportAsync(report with { WaitingId = modelled[Reporting.KeyOf(report)].Id }, now);
            Agree("waiting report", result, Assert.Single(await engine.Feedback.ApplyAsync([report], now, default)));
        }
    }

    public Incarnation Join(int node)
    {
        ThrowIfAway();
        return model.Join(node);
    }

    public bool Beat(Incarnation node)
    {
        ThrowIfAway();
        return model.Beat(node);
    }

    public IReadOnlyList<SeenNode> Others(Incarnation than)
    {
        ThrowIfAway();
        return model.Others(than);
    }

    public void DeclareDead(SeenNode node) => model.DeclareDead(node);

    async Task<T> BothAsync<T>(string what, Func<IQueueStore, Task<T>> call, Func<T, string>? words = null)
    {
        ThrowIfAway();
        await engine.PlaceAsync(model.Tables.Members.ToDictionary(m => m.Key, m => (m.Value.Incarnation, m.Value.Alive)));
        var (expected, refused) = await TryAsync(() => call(model));
        var (actual, alsoRefused) = await TryAsync(() => call(Engine));
        Agree(what, refused is null, alsoRefused is null);
        if (refused is not null)
            throw refused;
        words ??= answer => string.Create(CultureInfo.InvariantCulture, $"{answer}");
        Agree(what, words(expected!), words(actual!));
        return expected!;
    }

    static async Task<(T? Answer, StoreUnavailableException? Refused)> TryAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return (await call(), null);
        }
        catch (StoreUnavailableException refused)
        {
            return (default, refused);
        }
    }

    T MayBeLost<T>(T answer)
    {
        if (RepliesToLose == 0)
            return answer;
        RepliesToLose--;
        throw new StoreUnavailableException("The reply to a commit was lost.", mayHaveCommitted: true);
    }

    void ThrowIfAway()
    {
        if (IsAway)
            throw new StoreUnavailableException("The database is away.");
    }

    static string Describe(Lease lease)
    {
        var e = lease.Envelope;
        var history = e.History;
        return string.Create(CultureInfo.InvariantCulture, $"""
            {e.Id} {e.Key} due {e.DueAt:O} until {e.ExpiresAt:O} claim {e.Claim} tries {e.Tries} deferrals {e.Deferrals} rounds {e.Rounds}
            suspect {e.Suspect} {e.OnAmbiguous} {e.OrderingKey} {e.Cancelled} {lease.Owner} generation {lease.Message.Generation}
            to {Words(lease.Recipients.Select(r => r.N))} suppressed {Words(lease.Suppressed.Keys)} pinned {history.PinnedTo} last {history.Last}
            refused {Words(history.RefusedBy)} failed {Words(history.FailedThisRound)} doubt {history.PossibleDuplicate}
            """);
    }

    static string Words<T>(IEnumerable<T> items) => string.Join(", ", items);

    public static void Agree<T>(string what, T model, T engine)
    {
        if (!EqualityComparer<T>.Default.Equals(model, engine))
            throw new BrokenPromiseException($"{what} agrees", $"the model says\n{model}\nand the engine\n{engine}");
    }
}
