using System.Globalization;
using System.Net.Http.Headers;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Providers.Postmark;
using Postrider.Providers.Resend;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;

namespace Postrider.Vendors;

/// <summary>Tells a URL what became of the mails that simulated vendors took, as each vendor does: signed, and late or lost where its
/// faults say so. A receiver that does not answer 2xx is asked twice more.</summary>
sealed partial class VendorCallbacks : IDisposable
{
    const int Tries = 3;

    /// <summary>Waiting and under way, of all vendors; more are lost.</summary>
    const int MaxOpen = 10_000;

    static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    readonly TimeProvider _clock;
    readonly Entropy _entropy;
    readonly ILogger<VendorCallbacks> _logger;
    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
    readonly CancellationTokenSource _end = new();
    readonly IFeedbackWriter[] _writers;
    int _open;

    public VendorCallbacks(TimeProvider clock, Entropy entropy, ILogger<VendorCallbacks> logger)
    {
        (_clock, _entropy, _logger) = (clock, entropy, logger);
        _writers =
        [
            new SesCallbacks(clock.GetUtcNow()), new SendGridCallbacks(), new MailgunCallbacks(entropy), new PostmarkCallbacks(entropy),
            new ResendCallbacks(entropy),
        ];
        _http.Timeout = TimeSpan.FromSeconds(10);
    }

    public IFeedbackWriter WriterOf(string vendor) => _writers.First(writer => writer.Vendor == vendor);

    /// <summary>Returns at once.</summary>
    public void Tell(SimulatedVendor vendor, VendorMail mail)
    {
        var faults = vendor.Faults;
        if (faults.Callbacks is not { } url)
            return;
        foreach (var recipient in mail.Submission.Recipients)
        {
            var address = recipient.Mailbox.Address;
            var kind = faults.FateOf(address);
            Tell(vendor, mail, EventOf(mail, recipient, kind), url, faults);
            if (kind == FeedbackKind.Delivered && VendorFaults.Matches(faults.Complain, address))
                Tell(vendor, mail, EventOf(mail, recipient, FeedbackKind.Complained), url, faults);
        }
    }

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
        _http.Dispose();
        foreach (var writer in _writers.OfType<IDisposable>())
            writer.Dispose();
    }

    void Tell(SimulatedVendor vendor, VendorMail mail, FeedbackEvent feedback, Uri url, VendorFaults faults)
    {
        if (faults.Lose > 0 && (faults.Lose >= 1 || _entropy.NextDouble() < faults.Lose))
            return;
        if (Interlocked.Increment(ref _open) > MaxOpen)
        {
            Interlocked.Decrement(ref _open);
            LogLost(vendor.Name, mail.Id.ToString());
            return;
        }
        _ = PostAsync(WriterOf(vendor.Name), mail.Plan, feedback, url, faults.Late);
    }

    async Task PostAsync(IFeedbackWriter writer, VendorPlan plan, FeedbackEvent feedback, Uri url, TimeSpan late)
    {
        try
        {
            if (!await plan.WaitAsync(_clock, _end.Token))
                return;
            // Behind the answer to the call, as a rule; a callback may overtake it all the same.
            await Task.Delay(late, _clock, _end.Token);
            for (var n = 1; !await TryPostAsync(writer, feedback, url) && n < Tries; n++)
                await Task.Delay(BetweenTries, _clock, _end.Token);
        }
        catch (OperationCanceledException)
        {
            // The simulation ends.
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    async Task<bool> TryPostAsync(IFeedbackWriter writer, FeedbackEvent feedback, Uri url)
    {
        if (writer.Write(feedback, _clock.GetUtcNow()) is not { } callback)
            return true;
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(callback.Body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(callback.ContentType);
        foreach (var (name, value) in callback.Headers)
            request.Headers.Add(name, value);
        try
        {
            using var answer = await _http.SendAsync(request, _end.Token);
            if (!answer.IsSuccessStatusCode)
                LogNotTaken(writer.Vendor, (int)answer.StatusCode);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException && !_end.IsCancellationRequested)
        {
            LogNotTaken(writer.Vendor, 0);
            return false;
        }
    }

    FeedbackEvent EventOf(VendorMail mail, MessageRecipient recipient, FeedbackKind kind) => new()
    {
        Kind = kind,
        Type = kind.ToString(),
        Key = string.Create(CultureInfo.InvariantCulture, $"{mail.Id}-{recipient.N}-{kind}").ToLowerInvariant(),
        CarriedId = mail.CarriedId,
        ProviderId = mail.ProviderId,
        Address = recipient.Mailbox.Address.ToAscii(),
        At = _clock.GetUtcNow(),
        Suppressed = kind == FeedbackKind.Rejected ? "bounced before" : null,
        Reply = kind switch
        {
            FeedbackKind.Delivered => new Reply(250, "2.0.0", "250 2.0.0 OK (simulated)"),
            FeedbackKind.BouncedHard => new Reply(550, "5.1.1", "550 5.1.1 no such user (simulated)"),
            _ => null,
        },
    };

    [LoggerMessage(LogLevel.Warning, "A callback of {Vendor} was not taken ({Status})")]
    partial void LogNotTaken(string vendor, int status);

    [LoggerMessage(LogLevel.Warning, "Too many callbacks are open: those of {Vendor}'s mail {Mail} are lost")]
    partial void LogLost(string vendor, string mail);
}
