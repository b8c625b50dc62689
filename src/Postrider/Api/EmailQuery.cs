using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Api;

/// <summary>Reads which messages are asked for.</summary>
static class EmailQuery
{
    static readonly string States = string.Join(", ", Enum.GetNames<RecipientState>().Select(n => n.ToLowerInvariant()));

    static readonly ParameterDoc[] Paging =
    [
        new("limit", "1 to 100. Default 20."),
        new("after", "An id or next from the page before: what is older."),
        new("before", "An id: what is newer."),
    ];

    static readonly ParameterDoc[] Filters =
    [
        new("state", $"Any recipient in this state: {States}."),
        new("address", "To, cc or bcc this address."),
        new("transport", "Whose last attempt for any recipient was at this transport."),
        new("tag", "With this tag."),
        new("batch", "Of this batch."),
        new("metadata", "NAME:VALUE."),
        new("subject", "With this in the subject, without regard to case."),
        new("from", "Accepted at this instant or later."),
        new("until", "Accepted before this instant."),
    ];

    public static readonly DocumentedParameters Parameters = new([.. Paging, .. Filters]);

    public static readonly DocumentedParameters BatchParameters =
        new([
            new("emails", "true: list the messages; then the parameters of GET /emails too."),
            new("tracking", "true: count opens and clicks, by reading the events of all its messages."),
            .. Paging, .. Filters,
        ]);

    /// <summary>Whether something is wrong, the query knows.</summary>
    public static MessageFilter Read(ListQuery query) => new()
    {
        Limit = query.Limit(),
        // Pages go from new to old: what comes after an id is older than it.
        Before = query.After(),
        After = query.After("before"),
        State = query.Word<RecipientState>("state"),
        Address = query.Text("address"),
        Transport = query.Text("transport"),
        Tag = query.Text("tag"),
        Subject = query.Text("subject"),
        Batch = query.Value<MessageId>("batch", MessageId.TryParse, "batch must be the id of a batch."),
        Metadata = query.Value<MetadataEntry>("metadata", TryMetadata, "metadata must be NAME:VALUE."),
        From = query.Instant("from"),
        Until = query.Instant("until"),
    };

    static bool TryMetadata(ReadOnlySpan<char> text, out MetadataEntry entry)
    {
        var colon = text.IndexOf(':');
        entry = colon > 0 ? new MetadataEntry(text[..colon].ToString(), text[(colon + 1)..].ToString()) : default;
        return colon > 0;
    }
}
