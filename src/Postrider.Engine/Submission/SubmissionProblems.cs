using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Submission;

/// <summary>The refusals of a submission that are not about one field, with what to do about them.</summary>
public static class SubmissionProblems
{
    public static Problem InvalidIdempotencyKey { get; } = new(
        "invalid-idempotency-key", 400, "Invalid idempotency key", "An idempotency key is 1 to 255 printable ASCII characters.");

    public static Problem IdempotencyMismatch { get; } = new(
        "idempotency-mismatch", 409, "Idempotency key used before",
        "The same idempotency key came with another request before. Repeat that request unchanged, or use a new key.");

    public static Problem StorageLow { get; } = new(
        "storage-low", 503, "Storage is low", "The server is short of disk space. Nothing was stored; send it again later.")
    {
        RetryAfter = TimeSpan.FromSeconds(30),
    };

    public static Problem StorageUnavailable { get; } = new(
        "storage-unavailable", 503, "Storage is unavailable",
        "The server cannot reach its storage. Nothing was stored; send it again later.")
    {
        RetryAfter = TimeSpan.FromSeconds(10),
    };

    /// <summary>The one refusal after which the message may be stored all the same.</summary>
    public static Problem CommitUnknown { get; } = new(
        "commit-unknown", 503, "Acceptance is unknown",
        "The storage did not answer, so the message may have been stored or not. "
        + "Repeat the request with the same idempotency key: it is never stored twice.")
    {
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    public static Problem Draining { get; } = new(
        "draining", 503, "Shutting down", "The server is shutting down and takes no more mail. Nothing was stored; send it again.")
    {
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    public static Problem NoTransport(string route) => new(
        "no-transport", 503, "No transport",
        $"The route '{route}' has no transport, so nothing can be delivered. Set POSTRIDER_TRANSPORTS, for example to "
        + "smtp://user:password@mail.example.com:587, or to capture:// to try things out, and start again.")
    {
        RetryAfter = TimeSpan.FromSeconds(60),
    };

    /// <summary>The caller has no route of this name.</summary>
    public static Problem NoRoute(string name, RouteTable table) => table.Transports.Count == 0
        ? NoTransport(name)
        : Faults.One("/route", "invalid-field",
            $"There is no route '{name}'; there are: {string.Join(", ", table.Routes.Select(route => route.Name).Order())}.");

    public static Problem NoMessages { get; } = new("no-recipients", 422, "No messages", "The list of messages is empty.");

    public static Problem TooMany(string what, int limit) => new(
        "too-many-messages", 422, "Too many messages", $"One call takes at most {limit:N0} {what}. Split it.");

    public static Problem TooLargeTogether(long limit) => new(
        "too-large", 413, "Too large",
        $"The messages of one call have at most {limit:N0} bytes together, each with its own texts and attachments. Split it.");
}
