using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>What an event row says beside its columns.</summary>
sealed record EventDetails(IReadOnlyList<int> Recipients, string? Remark, AttemptDetails? Attempt, FeedbackDetails? Feedback = null);

/// <summary>The stored form of <see cref="EventDetails"/>: a version byte, then fields in a fixed order.</summary>
static class EventCodec
{
    const byte Version = 1;

    [Flags]
    enum Parts : byte { None = 0, Remark = 1, Attempt = 2, Feedback = 4, PassedOver = 8 }

    [Flags]
    enum ReplyParts : byte { None = 0, Enhanced = 1, Command = 2, RetryAfter = 4, ProviderId = 8, Verdict = 16, Ended = 32 }

    [Flags]
    enum FeedbackParts : byte { None = 0, Reply = 1, Bounce = 2, Suppressed = 4, Url = 8, UserAgent = 16, Ip = 32, Machine = 64 }

    /// <summary>An event that something was reported.</summary>
    /// <param name="recipient">Null: it is not told which of them.</param>
    public static void Write(FieldWriter to, int? recipient, FeedbackDetails feedback)
    {
        to.Byte(Version);
        to.Byte((byte)Parts.Feedback);
        to.Number(recipient is null ? 0 : 1);
        if (recipient is { } n)
            to.Number(n);
        WriteFeedback(to, feedback);
    }

    public static void Write(FieldWriter to, IReadOnlyList<int> recipients, string? remark, AttemptDetails? attempt)
    {
        to.Byte(Version);
        to.Byte((byte)((remark is null ? 0 : Parts.Remark) | (attempt is null ? 0 : Parts.Attempt)
            | (attempt is { PassedOver.Count: > 0 } ? Parts.PassedOver : 0)));
        to.Number(recipients.Count);
        foreach (var n in recipients)
            to.Number(n);
        if (remark is not null)
            to.Text(remark);
        if (attempt is null)
            return;
        to.Text(attempt.Transport);
        to.Number((ulong)Math.Max(0, attempt.Duration.Ticks / TimeSpan.TicksPerMicrosecond));
        to.Number(attempt.Outcomes.Count);
        foreach (var outcome in attempt.Outcomes)
            WriteOutcome(to, outcome);
        // Last: a program that does not know it reads all the rest.
        if (attempt.PassedOver.Count > 0)
            WritePassedOver(to, attempt.PassedOver);
    }

    static void WritePassedOver(FieldWriter to, IReadOnlyList<PassedOver> passedOver)
    {
        to.Number(passedOver.Count);
        foreach (var (transport, reason) in passedOver)
        {
            to.Text(transport);
            to.Byte((byte)reason);
        }
    }

    public static EventDetails Read(ReadOnlyMemory<byte> data)
    {
        var from = new FieldReader(data);
        if (from.Byte() is not Version and var version)
            throw new InvalidDataException(
                $"A stored event has format {version}, made by a newer Postrider; this one knows up to {Version}.");
        var parts = (Parts)from.Byte();
        var recipients = new List<int>();
        for (var count = from.Int(); count > 0; count--)
            recipients.Add(from.Int());
        var remark = parts.HasFlag(Parts.Remark) ? from.Text() : null;
        var attempt = parts.HasFlag(Parts.Attempt) ? ReadAttempt(ref from) : null;
        var feedback = parts.HasFlag(Parts.Feedback) ? ReadFeedback(ref from) : null;
        if (attempt is not null && parts.HasFlag(Parts.PassedOver))
            attempt = attempt with { PassedOver = ReadPassedOver(ref from) };
        return new EventDetails(recipients, remark, attempt, feedback);
    }

    static List<PassedOver> ReadPassedOver(ref FieldReader from)
    {
        var passedOver = new List<PassedOver>();
        for (var count = from.Int(); count > 0; count--)
            passedOver.Add(new PassedOver(from.Text(), (PassReason)from.Byte()));
        return passedOver;
    }

    /// <summary>The messages that one transaction took in.</summary>
    /// <param name="messages">Ascending.</param>
    public static void WriteAccepted(FieldWriter to, ReadOnlySpan<long> messages)
    {
        to.Byte(Version);
        to.Number(messages.Length);
        var last = 0L;
        foreach (var message in messages)
        {
            to.Number((ulong)(message - last));
            last = message;
        }
    }

    public static long[] ReadAccepted(ReadOnlyMemory<byte> data)
    {
        var from = new FieldReader(data);
        if (from.Byte() is not Version and var version)
            throw new InvalidDataException(
                $"A stored event has format {version}, made by a newer Postrider; this one knows up to {Version}.");
        var messages = new long[from.Int()];
        var last = 0L;
        for (var i = 0; i < messages.Length; i++)
            messages[i] = last += (long)from.Number();
        return messages;
    }

    static void WriteFeedback(FieldWriter to, FeedbackDetails feedback)
    {
        to.Text(feedback.Source);
        to.Text(feedback.Type);
        to.Byte((byte)((feedback.Reply is null ? 0 : FeedbackParts.Reply) | (feedback.Bounce is null ? 0 : FeedbackParts.Bounce)
            | (feedback.Suppressed is null ? 0 : FeedbackParts.Suppressed) | (feedback.Url is null ? 0 : FeedbackParts.Url)
            | (feedback.UserAgent is null ? 0 : FeedbackParts.UserAgent) | (feedback.Ip is null ? 0 : FeedbackParts.Ip)
            | (feedback.IsMachine ? FeedbackParts.Machine : 0)));
        if (feedback.Reply is { } reply)
        {
            to.Number(Math.Max(0, reply.Code));
            to.Text(reply.Enhanced ?? "");
            to.Text(reply.Text);
        }
        foreach (var text in (string?[])[feedback.Bounce, feedback.Suppressed, feedback.Url, feedback.UserAgent, feedback.Ip])
        {
            if (text is not null)
                to.Text(text);
        }
    }

    static FeedbackDetails ReadFeedback(ref FieldReader from)
    {
        var (source, type) = (from.Text(), from.Text());
        var parts = (FeedbackParts)from.Byte();
        Reply? reply = null;
        if (parts.HasFlag(FeedbackParts.Reply))
        {
            var (code, enhanced, words) = (from.Int(), from.Text(), from.Text());
            reply = new Reply(code, enhanced.Length == 0 ? null : enhanced, words);
        }
        return new FeedbackDetails(source, type)
        {
            Reply = reply,
            Bounce = parts.HasFlag(FeedbackParts.Bounce) ? from.Text() : null,
            Suppressed = parts.HasFlag(FeedbackParts.Suppressed) ? from.Text() : null,
            Url = parts.HasFlag(FeedbackParts.Url) ? from.Text() : null,
            UserAgent = parts.HasFlag(FeedbackParts.UserAgent) ? from.Text() : null,
            Ip = parts.HasFlag(FeedbackParts.Ip) ? from.Text() : null,
            IsMachine = parts.HasFlag(FeedbackParts.Machine),
        };
    }

    static AttemptDetails ReadAttempt(ref FieldReader from)
    {
        var transport = from.Text();
        var duration = TimeSpan.FromTicks((long)from.Number() * TimeSpan.TicksPerMicrosecond);
        var outcomes = new List<AttemptOutcome>();
        for (var count = from.Int(); count > 0; count--)
            outcomes.Add(ReadOutcome(ref from));
        return new AttemptDetails(transport, duration, outcomes);
    }

    static void WriteOutcome(FieldWriter to, in AttemptOutcome one)
    {
        var (n, outcome, verdict, ended) = one;
        var reply = outcome.Reply;
        to.Number(n);
        to.Byte((byte)outcome.Kind);
        to.Byte((byte)outcome.Scope);
        to.Number(Math.Max(0, reply.Code));
        to.Byte((byte)((reply.Enhanced is null ? 0 : ReplyParts.Enhanced) | (reply.Command is null ? 0 : ReplyParts.Command)
            | (outcome.RetryAfter is null ? 0 : ReplyParts.RetryAfter) | (outcome.ProviderId is null ? 0 : ReplyParts.ProviderId)
            | (verdict is null ? 0 : ReplyParts.Verdict) | (ended is null ? 0 : ReplyParts.Ended)));
        to.Text(reply.Text);
        if (reply.Enhanced is not null)
            to.Text(reply.Enhanced);
        if (reply.Command is not null)
            to.Text(reply.Command);
        if (outcome.RetryAfter is { } retryAfter)
            to.Number((ulong)Math.Max(0, retryAfter.Ticks / TimeSpan.TicksPerMillisecond));
        if (outcome.ProviderId is not null)
            to.Text(outcome.ProviderId);
        if (verdict is not null)
            to.Text(verdict);
        if (ended is { } state)
            to.Byte((byte)state);
    }

    static AttemptOutcome ReadOutcome(ref FieldReader from)
    {
        var n = from.Int();
        var (kind, scope) = ((OutcomeKind)from.Byte(), (OutcomeScope)from.Byte());
        var code = from.Int();
        var parts = (ReplyParts)from.Byte();
        var text = from.Text();
        var enhanced = parts.HasFlag(ReplyParts.Enhanced) ? from.Text() : null;
        var command = parts.HasFlag(ReplyParts.Command) ? from.Text() : null;
        TimeSpan? retryAfter = parts.HasFlag(ReplyParts.RetryAfter) ? TimeSpan.FromMilliseconds(from.Number()) : null;
        var providerId = parts.HasFlag(ReplyParts.ProviderId) ? from.Text() : null;
        var verdict = parts.HasFlag(ReplyParts.Verdict) ? from.Text() : null;
        RecipientState? ended = parts.HasFlag(ReplyParts.Ended) ? (RecipientState)from.Byte() : null;
        return new AttemptOutcome(
            n, new Outcome(kind, scope, new Reply(code, enhanced, text, command), retryAfter, providerId), verdict, ended);
    }
}
