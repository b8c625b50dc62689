using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Postrider.Api.Dialects;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Vendors;

/// <summary>What becomes of a call to a simulated vendor.</summary>
/// <param name="Answer">Null: none ever comes.</param>
/// <param name="IsCut">The connection ends where the answer should be.</param>
readonly record struct VendorReaction(DialectAnswer? Answer, bool IsCut = false);

/// <summary>A mail that a simulated vendor took.</summary>
/// <param name="ProviderId">As the sender was told it.</param>
/// <param name="CarriedId">The sender's own id for it; null when there is none.</param>
sealed record VendorMail(
    MessageId Id, DateTimeOffset At, CheckedSubmission Submission, string ProviderId, string? CarriedId)
{
    public MessageContent Content { get; } = Submission.ContentFor(Id);

    public VendorPlan Plan { get; } = new(Submission.SendAt);
}

/// <summary>One vendor as its customers see it, with faults: its dialect reads and answers, what it takes is kept instead of
/// sent.</summary>
/// <remarks>Thread-safe. Faults may be changed at any time and hold for calls that come afterwards.</remarks>
sealed class SimulatedVendor(IDialect dialect, VendorKeys keys, TimeProvider clock, Entropy entropy)
{
    /// <summary>Beyond it the oldest mail is forgotten.</summary>
    const int MaxMails = 10_000;

    static readonly SubmissionOptions Options = new();

    readonly ConcurrentQueue<VendorMail> _mails = new();
    readonly ConcurrentDictionary<string, (string Hash, DialectAnswer Answer)> _answered = new();
    readonly SubmissionCheck _check = new(Options);
    readonly MessageIds _ids = new(clock);
    readonly Lock _rateLock = new();
    long _second, _inSecond;    // guarded by _rateLock
    long _calls, _accepted, _refused;
    volatile VendorFaults _faults = new();

    public IDialect Dialect => dialect;
    public string Name => dialect.Vendor;

    public VendorFaults Faults
    {
        get => _faults;
        set => _faults = value;
    }

    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Messages.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Calls that were answered with an error.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Newest first.</summary>
    public IReadOnlyList<VendorMail> Mails => [.. _mails.Reverse()];

    /// <summary>Called with each mail that was taken, for callbacks. Must not wait.</summary>
    public Action<SimulatedVendor, VendorMail>? Taken { get; init; }

    /// <summary>Null when there is none, or it is forgotten.</summary>
    public VendorMail? Find(string id) => MessageId.TryParse(id, out var wanted) ? _mails.FirstOrDefault(mail => mail.Id == wanted) : null;

    public void Clear() => _mails.Clear();

    public async Task<VendorReaction> TakeAsync(InboundCall call, CancellationToken ct)
    {
        Interlocked.Increment(ref _calls);
        var faults = _faults;
        if (faults.Latency > TimeSpan.Zero)
            await Task.Delay(faults.Latency, clock, ct);
        if (Happens(faults.Break))
            return new VendorReaction(BadGateway);
        if (Stop(call, faults) is { } problem)
            return Refusal(problem);
        if (!dialect.Serves(call.Path))
            return Refusal(DialectProblems.NoSuchCall);
        if (dialect is ResendDialect && ResendMails.Serves(call.Path))
            return new VendorReaction(ResendMails.Answer(call, this, clock.GetUtcNow()));
        var reading = dialect.Read(call);
        if (reading is DialectReading.Answered(var known))
            return new VendorReaction(known);
        var answer = Take((DialectReading.Submit)reading, faults, call);
        if (Happens(faults.Hang))
            return new VendorReaction(null);
        return new VendorReaction(answer, IsCut: Happens(faults.Cut));
    }

    /// <summary>A page of somebody in between, in no vendor's shape: nobody knows what became of the call.</summary>
    static DialectAnswer BadGateway { get; } =
        new(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"u8.ToArray(), "text/html");

    /// <summary>What ends a call before it is read; null when it goes on.</summary>
    Problem? Stop(InboundCall call, VendorFaults faults)
    {
        if (faults.OutageUntil > clock.GetUtcNow() || Happens(faults.Fail))
            return VendorProblems.Failing(faults.Status);
        if (dialect.ReadCredential(call) is not { } credential)
            return DialectProblems.MissingCredential;
        if (keys.Refuse(dialect, credential, call, clock.GetUtcNow()) is { } refusal)
            return refusal;
        if (faults.Refuse == VendorRefusal.BadKey)
            return TenantProblems.Unauthenticated;
        return IsBeyondRate(faults.Rate) || Happens(faults.Throttle) ? VendorProblems.Throttled(faults.RetryAfter) : null;
    }

    DialectAnswer Take(DialectReading.Submit submit, VendorFaults faults, InboundCall call)
    {
        var hash = submit.IdempotencyKey is null ? "" : Convert.ToHexString(SHA256.HashData(call.Body.Span));
        if (submit.IdempotencyKey is { } key && _answered.TryGetValue(key, out var before))
            return before.Hash == hash ? before.Answer : dialect.Refuse(SubmissionProblems.IdempotencyMismatch);
        var now = clock.GetUtcNow();
        var looked = submit.Submissions.Select(submission => Check(submission, faults, now)).ToList();
        var isRefused = submit.AllOrNothing && looked.Any(one => one.Problem is not null);
        var isBatch = looked.Count > 1;
        var first = _ids.Reserve(looked.Count + 1);
        DialectItem[] items = [.. looked.Select((one, index) => WithSuppressed(new DialectItem(
            one.Problem is not null || isRefused ? null : isBatch ? first.Plus(index + 1) : first, one.Problem), one.Entry, faults))];
        if (!submit.DryRun)
        {
            foreach (var (item, one) in items.Zip(looked))
                if (item is { Id: { } id, IsForNobody: false })
                    Keep(new VendorMail(id, now, one.Entry!, ProviderIdOf(id, first, call), CarriedIdOf(one.Entry!)));
        }
        var answer = submit.Answer(new DialectReceipt(isBatch && !isRefused ? first : null, items));
        if (answer.Status >= 400)
            Interlocked.Increment(ref _refused);
        else if (submit.IdempotencyKey is { } name)
        {
            if (_answered.Count >= MaxMails)
                _answered.Clear();
            _answered[name] = (hash, answer);
        }
        return answer;
    }

    (CheckedSubmission? Entry, Problem? Problem) Check(DialectSubmission submission, VendorFaults faults, DateTimeOffset now)
    {
        var given = DialectTemplates.ToEntry(submission, Options);
        if (given.Request is not { } request)
            return (null, given.Problem);
        var found = new Faults();
        if (_check.Message(request, now, found) is not { } entry)
            return (null, found.ToProblem());
        var bad = faults.Refuse is null ? null : entry.Recipients.FirstOrDefault(one => faults.Refuses(one.Mailbox.Address));
        return bad is null ? (entry, null) : (null, VendorProblems.Of(faults.Refuse!.Value, entry, bad));
    }

    /// <summary>Only Postmark tells it in the answer.</summary>
    DialectItem WithSuppressed(DialectItem item, CheckedSubmission? entry, VendorFaults faults)
    {
        if (Name != "postmark" || item.Id is null || entry is null)
            return item;
        string[] suppressed = [.. entry.Recipients.Where(one => VendorFaults.Matches(faults.Suppress, one.Mailbox.Address))
            .Select(one => one.Mailbox.Address.ToString())];
        return suppressed.Length == 0 ? item : item with
        {
            Suppressed = suppressed,
            IsForNobody = suppressed.Length == entry.Recipients.Count,
        };
    }

    void Keep(VendorMail mail)
    {
        Interlocked.Increment(ref _accepted);
        _mails.Enqueue(mail);
        while (_mails.Count > MaxMails)
            _mails.TryDequeue(out _);
        Taken?.Invoke(this, mail);
    }

    VendorReaction Refusal(Problem problem)
    {
        Interlocked.Increment(ref _refused);
        return new VendorReaction(dialect.Refuse(problem));
    }

    bool Happens(double share) => share > 0 && (share >= 1 || entropy.NextDouble() < share);

    bool IsBeyondRate(int rate)
    {
        if (rate == 0)
            return false;
        var second = clock.GetUtcNow().ToUnixTimeSeconds();
        lock (_rateLock)
        {
            if (second != _second)
                (_second, _inSecond) = (second, 0);
            return ++_inSecond > rate;
        }
    }

    /// <summary>Some vendors give one id for the whole call, Mailgun one with the domain.</summary>
    string ProviderIdOf(MessageId own, MessageId whole, InboundCall call) => Name switch
    {
        "sendgrid" => whole.ToString(),
        "mailgun" => $"{whole}@{call.Path.Split('/')[2]}",
        _ => own.ToString(),
    };

    /// <summary>In the metadata; Resend carries it as a tag of the form <c>name:value</c>.</summary>
    static string? CarriedIdOf(CheckedSubmission entry)
    {
        foreach (var (name, value) in entry.Metadata)
            if (name == Providers.CarriedId.Name)
                return value;
        const string Tag = Providers.CarriedId.Name + ":";
        return entry.Tags.FirstOrDefault(tag => tag.StartsWith(Tag, StringComparison.Ordinal))?[Tag.Length..];
    }
}

/// <summary>The keys that simulated vendors take.</summary>
/// <param name="Given">Keys, or <c>ID:SECRET</c> for signed calls. Empty: any key will do, and signatures are not checked.</param>
sealed record VendorKeys(IReadOnlyList<string> Given)
{
    /// <summary>Null when the key is good.</summary>
    public Problem? Refuse(IDialect dialect, DialectCredential credential, InboundCall call, DateTimeOffset now)
    {
        if (Given.Count == 0)
            return null;
        if (!credential.IsSigned)
            return Given.Contains(credential.Key) ? null : TenantProblems.Unauthenticated;
        var pair = Given.FirstOrDefault(key => key.StartsWith(credential.Key + ":", StringComparison.Ordinal));
        return pair is null ? TenantProblems.Unauthenticated : dialect.Verify(call, pair[(credential.Key.Length + 1)..], now);
    }
}

/// <summary>The refusals that simulated vendors give on purpose. Each dialect puts them into its vendor's words.</summary>
static class VendorProblems
{
    public static Problem Failing(int status) => new("failing", status, "Failing", "Service is temporarily unavailable (simulated).");

    public static Problem Throttled(TimeSpan wait) =>
        new("rate-limited", 429, "Too many requests", "Too many requests (simulated).") { RetryAfter = wait };

    public static Problem Of(VendorRefusal refusal, CheckedSubmission entry, MessageRecipient bad) => refusal switch
    {
        VendorRefusal.Sandbox => One("sandbox", 403, PointerTo(entry, bad), bad.Mailbox.Address.ToAscii()) with
        {
            Detail = "This account may send to authorized recipients only.",
        },
        VendorRefusal.InvalidRecipient => One("invalid-address", 422, PointerTo(entry, bad),
            $"{bad.Mailbox.Address.ToAscii()} is not valid."),
        VendorRefusal.Rejected => One("no-content", 422, "/subject", "The content is refused."),
        VendorRefusal.TooLarge => new Problem("too-large", 413, "Too large", "The message is too large."),
        VendorRefusal.UnverifiedSender => One("unverified-sender", 403, "/from",
            "The from address does not match a verified Sender Identity."),
        VendorRefusal.Suspended => new Problem("suspended", 403, "Suspended", "The account is suspended."),
        VendorRefusal.BadKey => TenantProblems.Unauthenticated,
    };

    static string PointerTo(CheckedSubmission entry, MessageRecipient bad)
    {
        var place = entry.Recipients.Where(one => one.Kind == bad.Kind).TakeWhile(one => one != bad).Count();
        return string.Create(CultureInfo.InvariantCulture, $"/{bad.Kind.ToString().ToLowerInvariant()}/{place}");
    }

    static Problem One(string slug, int status, string pointer, string detail) =>
        new(slug, status, slug, detail) { Errors = [new ProblemError(pointer, slug, detail)] };
}
