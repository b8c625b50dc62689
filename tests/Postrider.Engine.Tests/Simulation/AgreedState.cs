using System.Globalization;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Memory;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What people see of a store, in lines that can be compared: of the model as of an engine.</summary>
static class AgreedState
{
    /// <summary>Throws where the engine shows another message, timeline or sum than the model has.</summary>
    public static async Task CompareAsync(ModelTables tables, IMessageReader engine, DateTimeOffset now)
    {
        foreach (var (id, message) in tables.Messages)
        {
            var view = await engine.GetAsync(new TenantId(message.Row.Tenant), new MessageId(id), default)
                ?? throw new BrokenPromiseException("message agrees", $"{new MessageId(id)} is not there");
            PairedStore.Agree("message", Lines(tables, message, now), Lines(view));
        }
        foreach (var tenant in tables.Messages.Values.Select(m => m.Row.Tenant).Distinct())
            PairedStore.Agree("sums", Sums(tables, tenant), Sums(await engine.CountAsync(new TenantId(tenant), default)));
    }

    static string Lines(ModelTables tables, MemoryMessage message, DateTimeOffset now) => string.Join('\n', [
        .. message.Recipients.Values.Select(r =>
        {
            var row = r.State == RecipientState.Queued ? tables.Queue[(message.Row.Id, r.Envelope)] : null;
            var isScheduled = row is { State: RecipientState.Queued, Wait: WaitReason.Scheduled, Tries: 0 } && row.Due > now.Ms;
            var wait = row is { State: RecipientState.Queued, Gate: Gate.Ordering } ? WaitReason.Ordering : row?.Wait ?? WaitReason.None;
            DateTimeOffset? next = row is { State: RecipientState.Queued or RecipientState.Unknown } ? Instant.From(row.Due) : null;
            return Line(r.N, isScheduled ? RecipientState.Scheduled : row?.State ?? r.State, wait, r.Held, row?.Tries ?? r.Tries, next,
                Instant.From(r.Updated));
        }),
        .. Told(tables.Events.Where(e => e.Message == message.Row.Id).Select(e => (e.Type, Instant.From(e.At),
            Line(e.Type, Instant.From(e.At), e.Read.Recipients, e.Read.Remark, e.Read.Attempt)))),
    ]);

    static string Lines(MessageView view) => string.Join('\n', [
        .. view.Recipients.Select(r => Line(r.N, r.State, r.WaitReason, r.HeldReason, r.Tries, r.NextAttemptAt, r.UpdatedAt)),
        .. Told(view.Events.Select(e => (e.Type, e.At, Line(e.Type, e.At, e.Recipients, e.Remark, e.Attempt)))),
    ]);

    /// <summary>Rows of a message that end at the same instant do so in any order.</summary>
    static List<string> Told(IEnumerable<(MailEventType Type, DateTimeOffset At, string Line)> events)
    {
        var (lines, alike, last) = (new List<string>(), new List<string>(), default((MailEventType, DateTimeOffset)));
        foreach (var (type, at, line) in events)
        {
            if ((type, at) != last)
                Close();
            last = (type, at);
            alike.Add(line);
        }
        Close();
        return lines;

        void Close()
        {
            lines.AddRange(alike.Order(StringComparer.Ordinal));
            alike.Clear();
        }
    }

    static string Line(int n, RecipientState state, WaitReason wait, HeldReason held, int tries, DateTimeOffset? next,
        DateTimeOffset updated) => string.Create(CultureInfo.InvariantCulture,
            $"{n} {state} waits {wait} held {held} tries {tries} next {next:O} updated {updated:O}");

    static string Line(MailEventType type, DateTimeOffset at, IReadOnlyList<int> recipients, string? remark, AttemptDetails? attempt) =>
        string.Create(CultureInfo.InvariantCulture, $"{type} {at:O} of {string.Join(',', recipients)} {remark} {attempt?.Transport} ")
        + string.Join(' ', attempt?.Outcomes.Select(o => $"{o.N}:{o.Outcome.Kind}:{o.Outcome.Reply.Words}:{o.Verdict}") ?? []);

    static string Sums(ModelTables tables, int tenant)
    {
        long Of(int state) => tables.Counters.GetValueOrDefault((tenant, state));
        return Line(Of(StateSums.Accepted), Of((int)RecipientState.Queued), Of((int)RecipientState.Leased), Of((int)RecipientState.Unknown),
            Of((int)RecipientState.Held), Of((int)RecipientState.Sent), Of((int)RecipientState.Delivered), Of((int)RecipientState.Bounced),
            Of((int)RecipientState.Failed), Of((int)RecipientState.Expired), Of((int)RecipientState.Suppressed),
            Of((int)RecipientState.Cancelled));
    }

    static string Sums(StateCounts c) => Line(c.Accepted, c.Queued + c.Scheduled, c.Leased, c.Unknown, c.Held, c.Sent, c.Delivered,
        c.Bounced, c.Failed, c.Expired, c.Suppressed, c.Cancelled);

    static string Line(params ReadOnlySpan<long> sums) => string.Join(' ', sums.ToArray());
}
