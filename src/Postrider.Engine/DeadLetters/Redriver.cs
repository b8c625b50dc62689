using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.DeadLetters;

/// <summary>A tenant's order to send letters again by itself.</summary>
/// <param name="Every">How long a letter rests before it is sent again.</param>
/// <param name="For">For how long after it first died.</param>
public readonly record struct RedrivePolicy(TenantId Tenant, TimeSpan Every, TimeSpan For);

/// <summary>Works jobs off: each turn takes one second's letters of one job, so that a million sent again do not come all at once. Every
/// node that has the role does it; a job is in one hand at a time, and a hand that died is waited for <see cref="Patience"/>.</summary>
/// <param name="patience">How long letters that are sent again may wait.</param>
public sealed partial class Redriver(
    IDeadLetterStore letters, IDeadLetterCommands commands, IHandOver handOver, Func<IReadOnlyList<RedrivePolicy>> policies,
    TimeSpan patience, TimeProvider clock, ILogger<Redriver> log) : IDisposable
{
    /// <summary>Of jobs that a policy makes.</summary>
    public const int PolicyPerSecond = 100;

    static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Policies speak in minutes.</summary>
    static readonly TimeSpan BetweenPolicies = TimeSpan.FromSeconds(10);

    /// <summary>Messages changed at once: they share their commits.</summary>
    const int AtOnce = 50;

    readonly SemaphoreSlim _signal = new(0);
    DateTimeOffset _policiesAt = DateTimeOffset.MinValue;

    /// <summary>A job was added: look now.</summary>
    public void Wake() => _signal.Release();

    public async Task RunAsync(CancellationToken stopping)
    {
        var isAway = false;
        try
        {
            while (true)
            {
                isAway = await LookAsync(isAway, stopping);
                await WaitAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops; others, or its next start, go on.
        }
    }

    async Task<bool> LookAsync(bool wasAway, CancellationToken ct)
    {
        try
        {
            await LookAtPoliciesAsync(ct);
            while (await TakeTurnAsync(ct)) { }
            return false;
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            if (!wasAway)
                LogAway(fault.Message);
            return true;
        }
    }

    /// <summary>Jobs for the letters that policies say are to be sent again now.</summary>
    internal async Task LookAtPoliciesAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (now - _policiesAt < BetweenPolicies && now >= _policiesAt)
            return;
        _policiesAt = now;
        foreach (var policy in policies())
        {
            var job = new RedriveJob
            {
                Tenant = policy.Tenant,
                Action = RedriveAction.Redrive,
                Filter = new DeadLetterFilter { Transient = true, Until = now - policy.Every, FirstFrom = now - policy.For },
                PerSecond = PolicyPerSecond,
                CreatedAt = now,
                CreatedBy = RedriveJob.Policy,
            };
            try
            {
                await letters.AddPolicyJobAsync(job, ct);
            }
            catch (TimeoutException fault)
            {
                LogAway(fault.Message); // one tenant's list is slow to look through: those behind it must not wait for that
            }
        }
    }

    /// <summary>False: no job waits for a hand.</summary>
    internal async Task<bool> TakeTurnAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await letters.TakeJobAsync(now, now + Patience) is not { } job)
            return false;
        var piece = await letters.NextAsync(job, ct);
        var places = piece.Places;
        var done = 0L;
        foreach (var chunk in places.GroupBy(place => place.Id.Message).Chunk(AtOnce))
            done += (await Task.WhenAll(chunk.Select(message => MoveAsync(job, message, now)))).Sum();
        foreach (var key in places.Select(place => place.Key).Distinct())
            handOver.Signal(key, now);
        // Where few were found, what was looked through took the time; another job has its turn first.
        DateTimeOffset? next = !piece.HasMore ? null : places.Count < job.PerSecond ? now : now + Turn;
        await letters.EndTurnAsync(job, done, piece.LookedAt, clock.GetUtcNow(), next);
        if (next is null)
            LogDone(job.Id, job.Action, job.Done + done, job.Tenant);
        return true;
    }

    async Task<long> MoveAsync(RedriveJob job, IGrouping<MessageId, DeadLetterPlace> message, DateTimeOffset now)
    {
        int[] recipients = [.. message.Select(place => place.Id.N)];
        var remark = job.CreatedBy == RedriveJob.Policy ? "By the tenant's policy." : $"By job {job.Id} of key {job.CreatedBy}.";
        return await (job.Action switch
        {
            RedriveAction.Redrive => commands.RedriveAsync(job.Tenant, message.Key, recipients, remark, now, now + patience),
            RedriveAction.Discard => commands.DiscardAsync(job.Tenant, message.Key, recipients, remark, now),
        }) ?? 0;
    }

    async Task WaitAsync(CancellationToken ct)
    {
        await using var timer = clock.CreateTimer(_ => Wake(), null, Turn, Timeout.InfiniteTimeSpan);
        await _signal.WaitAsync(ct);
        while (_signal.Wait(0, CancellationToken.None)) { }
    }

    public void Dispose() => _signal.Dispose();

    [LoggerMessage(LogLevel.Information, "Job {Job} ({Action}) of tenant {Tenant} is done: {Count} dead letters")]
    partial void LogDone(long job, RedriveAction action, long count, TenantId tenant);

    [LoggerMessage(LogLevel.Warning, "Dead letters wait: {Reason}")]
    partial void LogAway(string reason);
}
