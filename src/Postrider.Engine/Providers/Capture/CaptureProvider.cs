using System.Globalization;
using Postrider.Messages;

namespace Postrider.Providers.Capture;

/// <summary><c>capture://</c>: nothing leaves, every mail is kept in the inbox.</summary>
sealed class CaptureProvider(string transport, int keep, IInbox inbox, TimeProvider clock) : IProvider
{
    public ProviderCapabilities Capabilities { get; } = new() { MaxRecipients = 1_000, SmtpUtf8 = true };

    public async ValueTask<IReadOnlyList<Outcome>> SendAsync(OutgoingEnvelope envelope, CancellationToken ct)
    {
        using var mime = RenderedMessage.Of(envelope);
        var mail = new NewCapturedMail
        {
            Tenant = envelope.Tenant,
            Message = envelope.Message,
            Transport = transport,
            At = clock.GetUtcNow(),
            ReversePath = envelope.ReversePath?.ToString(),
            Recipients = [.. envelope.Recipients.Select(recipient => recipient.Mailbox.Address.ToString())],
            From = envelope.Content.From.ToString(),
            Subject = envelope.Content.Subject,
            Mime = mime.Bytes,
        };
        Outcome outcome;
        try
        {
            if (envelope.LastLeave is { } leave && !await leave(ct))
                outcome = Failed(OutcomeKind.Unreachable, "nothing was kept: the commit point was refused");
            else
                outcome = Kept(await inbox.AddAsync(mail, keep, CancellationToken.None));
        }
        catch (StoreUnavailableException e)
        {
            outcome = Failed(e.MayHaveCommitted ? OutcomeKind.Unknown : OutcomeKind.Unreachable, "the inbox cannot be written");
        }
        catch (StorageLowException)
        {
            outcome = Failed(OutcomeKind.Unreachable, "the disk is nearly full");
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            outcome = Failed(OutcomeKind.Unreachable, "cut before the commit point");
        }
        return [.. envelope.Recipients.Select(_ => outcome)];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    static Outcome Kept(long id)
    {
        var text = id.ToString(CultureInfo.InvariantCulture);
        return new Outcome(OutcomeKind.Accepted, OutcomeScope.Message, new Reply(250, "2.0.0", $"kept in the inbox as {text}"),
            ProviderId: text);
    }

    static Outcome Failed(OutcomeKind kind, string words) => new(kind, OutcomeScope.Transport, new Reply(0, null, words));
}

/// <summary>Makes <c>capture://</c> transports. Option <c>keep=10000</c>: how many mails the inbox holds, the oldest are dropped.</summary>
public sealed class CaptureProviderFactory(IInbox inbox, TimeProvider clock) : IProviderFactory
{
    const int DefaultKeep = 10_000;
    const int MostKept = 1_000_000;

    public string Scheme => "capture";
    public IReadOnlyCollection<string> OptionNames => ["keep"];

    public IReadOnlyList<string> Check(TransportSettings settings) =>
        KeepOf(settings) is null ? [$"option 'keep' is a number from 1 to {MostKept}; not '{settings.Options["keep"]}'"] : [];

    public IProvider Create(TransportSettings settings) =>
        new CaptureProvider(settings.Name, KeepOf(settings) ?? DefaultKeep, inbox, clock);

    static int? KeepOf(TransportSettings settings)
    {
        if (!settings.Options.TryGetValue("keep", out var text))
            return DefaultKeep;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var keep) && keep is >= 1 and <= MostKept
            ? keep : null;
    }
}
