using System.Globalization;
using System.Text;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>A vendor's send API as an entrance of ours: pure functions from the vendor's requests to submissions, and from our results to
/// the vendor's answers.</summary>
/// <remarks>
/// The executable mounts it: reads the body, asks <see cref="ReadCredential"/>, authenticates, asks <see cref="Verify"/> where the call is
/// signed, then <see cref="Read"/>; submits what came of it and lets <see cref="DialectReading.Submit.Answer"/> write the answer. Whatever
/// goes wrong on the way is told by <see cref="Refuse"/> in the vendor's own shape, so the vendor's SDK understands it.
/// </remarks>
public interface IDialect
{
    /// <summary>The scheme of the vendor's transports: <c>sendgrid</c>.</summary>
    string Vendor { get; }

    /// <summary>Whether a path of the vendor's API is meant, with whatever method.</summary>
    bool Serves(string path);

    /// <summary>What the caller presented; null when it presented nothing that this vendor knows.</summary>
    DialectCredential? ReadCredential(InboundCall call);

    /// <summary>For signed calls: null when the signature stands, else why not. Calls with a bearer key always stand.</summary>
    /// <param name="secret">Of the key that <see cref="DialectCredential.Key"/> names.</param>
    Problem? Verify(InboundCall call, string secret, DateTimeOffset now) => null;

    /// <summary>What the call asks for.</summary>
    DialectReading Read(InboundCall call);

    /// <summary>A refusal of ours in the vendor's shape.</summary>
    DialectAnswer Refuse(Problem problem);
}

/// <summary>What the caller of a dialect presented.</summary>
/// <param name="Key">The API key itself, or, where <paramref name="IsSigned"/>, the public id of the key that the call is signed
/// with.</param>
public sealed record DialectCredential(string Key, bool IsSigned = false)
{
    /// <summary>No secret: the vendor's own word for calls that are only tried out, which everybody may do.</summary>
    public bool IsForTrying { get; init; }
}

/// <summary>The refusals that only dialects give.</summary>
public static class DialectProblems
{
    /// <summary>Nothing was presented that the vendor knows; a key that is no good is <c>unauthenticated</c>.</summary>
    public static Problem MissingCredential { get; } = new(
        "missing-credential", 401, "No credential", "Present an API key of this server, in the way of this API.");

    public static Problem NoSuchCall { get; } = new("no-such-call", 404, "Not found", "Not Found");

    public static Problem BrokenTemplate(string why) =>
        new("broken-template", 422, "Broken template", why) { Errors = [new("/template", "broken-template", why)] };
}

/// <summary>What a call to a dialect asks for.</summary>
public abstract record DialectReading
{
    DialectReading() { }

    /// <summary>Nothing more is to be done: a refusal, or a question that can be answered at once.</summary>
    public sealed record Answered(DialectAnswer Answer) : DialectReading;

    /// <summary>Messages to submit.</summary>
    /// <param name="Submissions">At least one; each is a message of its own.</param>
    /// <param name="Answer">Writes the vendor's answer; pure, and may run more than once.</param>
    public sealed record Submit(IReadOnlyList<DialectSubmission> Submissions, Func<DialectReceipt, DialectAnswer> Answer) : DialectReading
    {
        /// <summary>One refused message refuses them all; else each gets its own result.</summary>
        public bool AllOrNothing { get; init; }

        /// <summary>Check everything, store nothing: the vendor's sandbox mode.</summary>
        public bool DryRun { get; init; }

        /// <summary>The caller's own name for this call, the same in its repetitions; null when there is none.</summary>
        public string? IdempotencyKey { get; init; }
    }
}

/// <summary>One message out of a call.</summary>
public sealed record DialectSubmission(SubmissionRequest Request)
{
    /// <summary>To be filled in before the message has a content; null when it has one.</summary>
    public DialectTemplate? Template { get; init; }

    /// <summary>Why the vendor would not take this one of the messages; null when nothing speaks against it so far.</summary>
    public Problem? Fault { get; init; }
}

/// <summary>A template that a call names, or brings along.</summary>
public sealed record DialectTemplate
{
    /// <summary>Of a stored one; null when the call brings its text.</summary>
    public string? Name { get; init; }
    public string? Subject { get; init; }
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>An object; undefined when no data came.</summary>
    public JsonElement Data { get; init; }

    /// <summary>The vendor refuses a message whose data lacks what is printed, where a stored template does not say otherwise.</summary>
    public bool IsStrict { get; init; }
}

/// <summary>What became of the submissions of a call.</summary>
/// <param name="Batch">Null for a single message.</param>
/// <param name="Items">One for each submission, in order.</param>
public sealed record DialectReceipt(MessageId? Batch, IReadOnlyList<DialectItem> Items)
{
    /// <summary>The id for vendors that give one for the whole call.</summary>
    public MessageId? Id => Batch ?? Items.Select(item => item.Id).FirstOrDefault(id => id is not null);
}

/// <summary>What became of one submission: one of the two is set.</summary>
public readonly record struct DialectItem(MessageId? Id, Problem? Problem)
{
    /// <summary>Addresses of an accepted message that get no mail, because they are on the suppression list; null for none.</summary>
    public IReadOnlyList<string>? Suppressed { get; init; }

    /// <summary>Whether those are all that it has.</summary>
    public bool IsForNobody { get; init; }
}

/// <summary>An HTTP answer of a dialect.</summary>
/// <param name="ContentType">Null for an empty body.</param>
public sealed record DialectAnswer(int Status, ReadOnlyMemory<byte> Body, string? ContentType)
{
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public static DialectAnswer Empty(int status) => new(status, ReadOnlyMemory<byte>.Empty, null);

    public static DialectAnswer Json(int status, ReadOnlyMemory<byte> body) => new(status, body, "application/json");

    public DialectAnswer With(string name, string value) => this with { Headers = [.. Headers, new(name, value)] };

    /// <summary>With Retry-After in whole seconds (RFC 9110 §10.2.3); null adds nothing.</summary>
    public DialectAnswer WithRetryAfter(TimeSpan? wait) =>
        wait is { } span ? With("Retry-After", Math.Ceiling(span.TotalSeconds).ToString(CultureInfo.InvariantCulture)) : this;

    public override string ToString() => $"{Status} {Encoding.UTF8.GetString(Body.Span)}";
}
