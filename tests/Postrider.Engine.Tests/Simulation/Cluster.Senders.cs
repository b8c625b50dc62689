using Postrider.Feedback;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Testing;

namespace Postrider.Engine.Tests.Simulation;

/// <content>What comes from outside: mail, orders, reports.</content>
sealed partial class Cluster
{
    static readonly byte[] Request = new byte[32];
    static readonly byte[] Answer = [1];

    /// <summary>Whoever is written to, again and again: addresses go bad, keys queue up.</summary>
    const int Addresses = 40;

    async Task AcceptAsync(SimulatedNode node, Dice dice)
    {
        var tenant = new TenantId(FirstTenant + dice.Next(2));
        var message = Draw(node, dice);
        await AcceptAsync(node, tenant, message, dice.OneIn(3) ? $"key {message.Id}" : null, dice);
    }

    /// <summary>A sender repeats a request under its key, whatever the answer to the first was.</summary>
    async Task AcceptAgainAsync(SimulatedNode node, Dice dice)
    {
        var earlier = _oracle.Promises.Where(p => p.Key is not null).ToList();
        if (earlier.Count == 0)
            return;
        var promise = earlier[dice.Next(earlier.Count)];
        await AcceptAsync(node, promise.Tenant, Draw(node, dice), promise.Key, dice);
    }

    NewMessage Draw(SimulatedNode node, Dice dice)
    {
        var now = node.Clock.GetUtcNow();
        var recipients = dice.OneIn(3) ? 1 + dice.Next(4) : 1;
        var first = dice.Next(Addresses);
        return new NewMessage
        {
            Id = node.Ids.Next(),
            Stream = dice.OneIn(3) ? MailStream.Bulk : MailStream.Transactional,
            Route = "main",
            Recipients = [.. Enumerable.Range(0, recipients).Select(n => new MessageRecipient(
                n, RecipientKind.To, new Mailbox(null, EmailAddress.Parse($"r{(first + n) % Addresses}@example.org"))))],
            Content = Content,
            ExpiresAt = now + TimeSpan.FromSeconds(dice.OneIn(4) ? 5 + dice.Next(60) : 600 + dice.Next(3000)),
            SendAt = dice.OneIn(6) ? now + TimeSpan.FromSeconds(dice.Next(90)) : null,
            OnAmbiguous = dice.Next(8) < _setting.Hold ? AmbiguityPolicy.Hold : AmbiguityPolicy.Retry,
            OrderingKey = dice.Next(8) < _setting.Ordered ? $"k{dice.Next(3)}" : null,
        };
    }

    async Task AcceptAsync(SimulatedNode node, TenantId tenant, NewMessage message, string? key, Dice dice)
    {
        if (dice.OneIn(3) && message is { SendAt: null, OrderingKey: null, IsOneEnvelope: true } && node.Hand.Count < 5)
            message = message with { BornLeasedBy = node.Incarnation };
        var promise = new Promise(tenant, message, key) { IsAnswered = _mutation == Mutation.AnswerBeforeCommit };
        _oracle.Promised(promise);
        var acceptance = new Acceptance
        {
            Tenant = tenant,
            Messages = [message],
            Idempotency = key is null ? null : new IdempotencyClaim(key, Request, Answer, node.Clock.GetUtcNow() + TimeSpan.FromDays(3)),
        };
        try
        {
            var result = await node.Store.AcceptAsync(acceptance, default);
            promise.IsAnswered = result is AcceptResult.Accepted;
            if (result is AcceptResult.Accepted { Suppressed: var suppressed } && message.BornLeasedBy is not null)
                TakeBornLeased(node, promise, suppressed);
        }
        catch (StoreUnavailableException away) when (away.MayHaveCommitted)
        {
            await LookUpAsync(node, promise);
        }
        catch (StoreUnavailableException)
        {
            // Refused: the sender keeps it.
        }
        if (key is not null)
            _oracle.Repeated(key);
    }

    void TakeBornLeased(SimulatedNode node, Promise promise, IReadOnlyList<RecipientId> suppressed)
    {
        var message = promise.Message;
        if (BornLeased.Of(KeyOf(promise), message, Content, suppressed, node.Clock.GetUtcNow()) is not { } lease)
            return;
        // Its time is not looked at here, but before the attempt.
        _oracle.Leased(node, [lease], DateTimeOffset.MinValue);
        node.Hand.Add(new UnderWay(lease, _oracle.Act.Number));
    }

    static QueueKey KeyOf(Promise promise) => new(promise.Message.Route, promise.Message.Stream, promise.Tenant);

    /// <summary>The reply to the commit was lost: the id tells. What was born leased is given back, as nobody knows who is
    /// suppressed.</summary>
    async Task LookUpAsync(SimulatedNode node, Promise promise)
    {
        promise.IsAnswered |= await node.Store.ExistsAsync(promise.Message.Id);
        if (!promise.IsAnswered || promise.Message.BornLeasedBy is null)
            return;
        var lease = BornLeased.Of(KeyOf(promise), promise.Message, Content, [], node.Clock.GetUtcNow())!;
        var attempt = new UnderWay(lease, _oracle.Act.Number)
        {
            GiveBack = [.. lease.Recipients.Select(r =>
                lease with { Envelope = lease.Envelope with { Id = new EnvelopeId(lease.Message.Id, r.N) } })],
        };
        SimulatedNode.GiveBack(attempt, node.Clock.GetUtcNow(), WaitReason.Released);
        node.Hand.Add(attempt);
    }

    /// <summary>What people order of a message.</summary>
    async Task OrderAsync(SimulatedNode node, ActKind kind, Dice dice)
    {
        var stored = _oracle.Promises.Where(p => Tables.Messages.ContainsKey(p.Message.Id.Value)).ToList();
        if (stored.Count == 0)
            return;
        var promise = stored[dice.Next(stored.Count)];
        var (id, tenant, now) = (promise.Message.Id, promise.Tenant, node.Time.Now);
        var expires = now + TimeSpan.FromSeconds(60 + dice.Next(3000));
        try
        {
            Task order = kind switch
            {
                ActKind.Cancel => node.Store.CancelAsync(tenant, id, now, default),
                ActKind.Retry => node.Store.RetryAsync(tenant, id, bounced: true, discarded: false, now, expires, default),
                _ => node.Store.RescheduleAsync(tenant, id, now + TimeSpan.FromSeconds(dice.Next(60)), expires, default),
            };
            await order;
        }
        catch (StoreUnavailableException away)
        {
            if (!away.MayHaveCommitted)
                return;
        }
        if (kind == ActKind.Cancel)
            _oracle.Cancelled(id);
        else if (kind == ActKind.Retry)
            _oracle.SentAgain(id, expires);
        else if (Tables.Messages[id.Value].Row.Expires == expires.ToUnixTimeMilliseconds())
            _oracle.Rescheduled(id, expires);
    }

    /// <summary>A provider tells what became of something that it took, late, and sometimes twice.</summary>
    async Task ReportAsync(SimulatedNode node, Dice dice)
    {
        var taken = _sink.All.ToList();
        if (taken.Count == 0)
            return;
        var (recipient, by) = taken[dice.Next(taken.Count)];
        var kind = dice.Pick(FeedbackKind.Accepted, FeedbackKind.Delivered, FeedbackKind.Delivered, FeedbackKind.BouncedHard,
            FeedbackKind.BouncedSoft, FeedbackKind.Complained, FeedbackKind.Rejected);
        var address = Tables.Recipient(recipient).Address;
        var report = new FeedbackReport
        {
            Event = new FeedbackEvent { Kind = kind, Type = "told", Key = $"{recipient} {kind}", Address = address, At = node.Time.Now },
            Vendor = "simulated",
            Transport = by.Transport,
            Message = recipient.Message,
            N = recipient.N,
        };
        try
        {
            var result = await node.Store.ReportAsync(report, node.Time.Now);
            if (kind is FeedbackKind.BouncedHard or FeedbackKind.Complained && result is FeedbackResult.Moved or FeedbackResult.Noted)
                _oracle.Suppressed(by.Lease.Envelope.Key.Tenant, address);
        }
        catch (StoreUnavailableException)
        {
            // It is reported again, or it is not: nothing was promised.
        }
    }
}
