using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>What all who write to the suppression list have in common.</summary>
static class SuppressionSql
{
    /// <summary>In place of a stream: all of them.</summary>
    public const int AllStreams = -1;

    /// <summary>The end of an INSERT: what is on the list for as long, or longer, stays as it is.</summary>
    public const string KeepTheLonger = """
        ON CONFLICT (tenant, address_hash, stream) DO UPDATE SET cause = excluded.cause, reason = excluded.reason,
            message = excluded.message, at = excluded.at, until = excluded.until, address = excluded.address
        WHERE suppressions.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until > suppressions.until)
        """;

    public static int NumberOf(MailStream? stream) => stream is { } one ? (int)one : AllStreams;
    public static MailStream? StreamOf(int number) => number == AllStreams ? null : (MailStream)number;
}
