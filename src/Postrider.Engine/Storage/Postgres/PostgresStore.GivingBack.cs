using Postrider.Messages;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <content>Leases that were made for nobody: their commit was not answered, or the server fell away before their mail was
/// read.</content>
public sealed partial class PostgresStore
{
    /// <summary>How long a commit whose reply was lost may still be on its way: twice the longest the server lets a statement
    /// run.</summary>
    static readonly TimeSpan CommitMayStillCome = TimeSpan.FromSeconds(60);
    static readonly TimeSpan GiveBackEvery = TimeSpan.FromSeconds(2);

    readonly CancellationTokenSource _closing = new();

    /// <summary>Returns leases as soon as the server can be asked: a live node holds them, so no other one may sweep them. Guarded by
    /// their claim: what was not committed, or is somebody's again, is left alone.</summary>
    /// <param name="mayStillCome">The commit may be under way: they are looked at again until it cannot be any more.</param>
    async Task GiveBackAsync(List<Taken> taken, bool mayStillCome)
    {
        if (TestSwitches.KeepsLostLeases)
            return;
        var leases = taken.ConvertAll(t => Claimed.Of(t.Row));
        var orderingKeys = taken.ConvertAll(t => (t.Row.Tenant, t.Row.OrderingKey));
        var since = _clock.GetTimestamp();
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                await ReleaseAsync(leases, orderingKeys, _clock.GetUtcNow(), WaitReason.Released);
                if (!mayStillCome || _clock.GetElapsedTime(since) > CommitMayStillCome)
                    return;
            }
            catch (StoreUnavailableException e)
            {
                if (e.IsForGood)
                    return;
            }
            await Task.Delay(GiveBackEvery, _clock, _closing.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}
