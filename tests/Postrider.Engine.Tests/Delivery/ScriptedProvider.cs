using System.Collections.Concurrent;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>A provider that does what the test tells it and remembers whom it was asked to send to.</summary>
sealed class ScriptedProvider(string name, TimeProvider clock) : IProvider
{
    public string Name => name;
    public ProviderCapabilities Capabilities { get; set; } = new() { SmtpUtf8 = true, MaxRecipients = 1_000 };

    /// <summary>What it answers; accepts everything at first.</summary>
    public Func<OutgoingEnvelope, CancellationToken, ValueTask<IReadOnlyList<Outcome>>> Answer { get; set; } = (envelope, _) =>
        new(All(envelope, Accepted));

    /// <summary>What it does before the commit point.</summary>
    public Func<Task> Prepare { get; set; } = () => Task.CompletedTask;

    public ConcurrentQueue<Sending> Asked { get; } = new();

    /// <summary>Addresses that it took responsibility for, each as often as it did.</summary>
    public IEnumerable<string> Taken => Asked.Where(s => s.Outcomes is not null).SelectMany(s =>
        s.Recipients.Zip(s.Outcomes!).Where(pair => pair.Second.Kind == OutcomeKind.Accepted).Select(pair => pair.First));

    public static readonly Outcome Accepted = new(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, "2.0.0", "ok", "DATA"));
    public static readonly Outcome Refusing = new(OutcomeKind.Unreachable, OutcomeScope.Transport,
        new Reply(0, null, "connection refused", "CONNECT"));
    public static readonly Outcome NoAnswer = new(OutcomeKind.Unknown, OutcomeScope.Message,
        new Reply(0, null, "no answer to the final dot", "DATA"));

    public static IReadOnlyList<Outcome> All(OutgoingEnvelope envelope, Outcome outcome) => [.. envelope.Recipients.Select(_ => outcome)];

    public void AnswerAll(Outcome outcome) => Answer = (envelope, _) => new(All(envelope, outcome));

    public void AnswerEach(Func<string, Outcome> outcome) =>
        Answer = (envelope, _) => new((IReadOnlyList<Outcome>)[.. envelope.Recipients.Select(r => outcome(r.Mailbox.Address.ToString()))]);

    /// <summary>Reads the final dot and is silent until it is cut.</summary>
    public void NeverAnswer() => Answer = async (envelope, ct) =>
    {
        var cut = new TaskCompletionSource();
        await using (ct.Register(cut.SetResult))
            await cut.Task;
        return All(envelope, NoAnswer);
    };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        var sending = new Sending(clock.GetUtcNow(), envelope.Message, [.. envelope.Recipients.Select(r => r.Mailbox.Address.ToString())]);
        Asked.Enqueue(sending);
        await Prepare();
        if (envelope.CommitPoint is { } commit)
        {
            sending.PassedCommitPoint = await commit(ct);
            if (!sending.PassedCommitPoint)
                return All(envelope, Refusing);
        }
        else if (envelope.MaySend?.Invoke() == false)
        {
            return All(envelope, Refusing);
        }
        var outcomes = await Answer(envelope, ct);
        sending.Outcomes = outcomes;
        return outcomes;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>One call of a provider.</summary>
sealed class Sending(DateTimeOffset at, MessageId message, IReadOnlyList<string> recipients)
{
    public DateTimeOffset At => at;
    public MessageId Message => message;
    public IReadOnlyList<string> Recipients => recipients;

    /// <summary>Null while it is not answered.</summary>
    public IReadOnlyList<Outcome>? Outcomes { get; set; }

    public bool PassedCommitPoint { get; set; }

    public override string ToString() => $"{string.Join(',', recipients)} at {at:HH:mm:ss.fff}";
}
