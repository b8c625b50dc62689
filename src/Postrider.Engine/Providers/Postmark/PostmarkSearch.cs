using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Postmark;

/// <summary>Postmark's search of what it has sent, by our id in the metadata (support article 1125: one field at a time).</summary>
static class PostmarkSearch
{
    /// <summary>Ids asked for at once; more recipients in doubt are left to callbacks.</summary>
    const int MaxIds = 20;

    /// <summary>A message went as one with all its recipients, or in a copy for each.</summary>
    public static IEnumerable<string> IdsOf(DoubtfulMessage message) =>
        message.Recipients.Take(MaxIds - 1).Select(n => new RecipientId(message.Message, n).ToString()).Prepend(message.Message.ToString());

    /// <param name="stream">Null: Postmark's own default.</param>
    public static string PathFor(string id, string? stream) =>
        $"/messages/outbound?count=10&offset=0&metadata_{CarriedId.Name}={Uri.EscapeDataString(id)}"
        + (stream is null ? "" : $"&messagestream={Uri.EscapeDataString(stream)}");

    /// <summary>Null when it is no answer of the search. Messages that do not carry the very id are passed over: a filter that was not
    /// understood finds everything.</summary>
    public static List<FeedbackEvent>? Read(ReadOnlyMemory<byte> body, string id)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.Member("Messages") is not { ValueKind: JsonValueKind.Array } messages)
                return null;
            return [.. messages.EnumerateArray().Where(message => message.Member("Metadata").Text(CarriedId.Name) == id)
                .SelectMany(message => Events(message, id))];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static IEnumerable<FeedbackEvent> Events(JsonElement message, string id)
    {
        var recipients = message.Member("Recipients") is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(CallbackText.TextOf).OfType<string>()
            : [];
        foreach (var recipient in recipients)
        {
            yield return new FeedbackEvent
            {
                Kind = FeedbackKind.Accepted,
                Type = $"found/{message.Text("Status")}",
                Key = $"found/{message.Text("MessageID")}/{recipient}",
                CarriedId = id,
                ProviderId = message.Text("MessageID"),
                Address = recipient,
                At = message.Instant("ReceivedAt") ?? DateTimeOffset.UnixEpoch,
            };
        }
    }
}
