using System.Data.Common;
using System.Text;
using Dapper;
using Postrider.Messages;

namespace Postrider.Storage.Tables;

/// <summary>What a person sent: mail from an address, or that is answered to it. Who sent it is in the content, of a batch once for all its
/// messages.</summary>
static class ErasedSender
{
    /// <summary>RFC 5322 §3.6.2 and §3.6.6: who wrote, who sent, who is answered.</summary>
    static readonly string[] Fields = ["From:", "Sender:", "Reply-To:", "Resent-From:", "Resent-Sender:"];

    /// <summary>Of a header: more is none.</summary>
    const int MostHeaderBytes = 256 * 1024;

    /// <param name="sender">As the row has it; null: it is the batch's.</param>
    /// <param name="bytes">Of the content that was read for it.</param>
    public static bool IsOf(DbConnection connection, string table, long id, string? sender, ErasedAddress text, out long bytes)
    {
        bytes = 0;
        if (text.IsIn(sender))
            return true;
        var content = connection.ExecuteScalar<byte[]?>($"SELECT content FROM {table} WHERE id = @id AND length(content) > 1", new { id });
        bytes = content?.Length ?? 0;
        return content is not null && !ContentCodec.IsData(content) && IsBy(Read(content), text);
    }

    /// <summary>Null: a newer program wrote it.</summary>
    static MessageContent? Read(byte[] content)
    {
        try
        {
            return ContentCodec.Read(content);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    static bool IsBy(MessageContent? content, ErasedAddress text) => content is not null
        && (text.Is(content.From.Address.ToString())
            || content.ReplyTo.Any(mailbox => text.Is(mailbox.Address.ToString()))
            || content.ReversePath?.Address is { } path && text.Is(path.ToString())
            || content.Headers.Any(header =>
                Fields.Contains(header.Name + ":", StringComparer.OrdinalIgnoreCase) && text.IsIn(header.Value))
            || content.Mime is { } mime && HeaderOf(mime.Span).Any(line =>
                Fields.Any(field => line.StartsWith(field, StringComparison.OrdinalIgnoreCase)) && text.IsIn(line)));

    /// <summary>The fields of a whole message, each on one line.</summary>
    static string[] HeaderOf(ReadOnlySpan<byte> mime)
    {
        var end = mime.IndexOf("\r\n\r\n"u8);
        var header = mime[..Math.Min(end < 0 ? mime.Length : end, MostHeaderBytes)];
        return Encoding.UTF8.GetString(header).Replace("\r\n ", " ", StringComparison.Ordinal)
            .Replace("\r\n\t", " ", StringComparison.Ordinal).Split("\r\n");
    }

    /// <summary>What stands there for who sent it: the name beside the address is the person's, too.</summary>
    public static string? Replace(string? sender, ErasedAddress text) => text.IsIn(sender) ? text.Pseudonym : sender;

    /// <summary>Empties a batch that the person sent. False: its mail is open.</summary>
    public static bool EmptyBatch(DbConnection connection, TenantId tenant, long batch, string? sender, ErasedAddress text)
    {
        if (connection.ExecuteScalar<long>("""
            SELECT (SELECT count(*) FROM expansions WHERE batch = @batch AND open = 1)
                + coalesce((SELECT CAST(sum(delta) AS bigint) FROM counters
                    WHERE scope = @batch AND state IN (@queued, @leased, @unknown, @held)), 0)
            """, new
        {
            batch,
            queued = (int)RecipientState.Queued,
            leased = (int)RecipientState.Leased,
            unknown = (int)RecipientState.Unknown,
            held = (int)RecipientState.Held,
        }) > 0)
            return false;
        var bytes = connection.ExecuteScalar<long?>(
            "SELECT CAST(length(content) AS bigint) FROM batches WHERE id = @batch AND length(content) > 1", new { batch }) ?? 0;
        connection.Execute("UPDATE batches SET content = @gone, sender = @by WHERE id = @batch",
            new { gone = ContentCodec.Gone, by = Replace(sender, text), batch });
        OldMessages.Uncount(connection, [(tenant.Value, bytes)]);
        return true;
    }
}
