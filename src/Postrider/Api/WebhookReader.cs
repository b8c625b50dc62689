using System.Globalization;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Webhooks;

namespace Postrider.Api;

/// <param name="Until">Null: now.</param>
/// <param name="State">Null: all that ended.</param>
sealed record RedeliverRequest(DateTimeOffset From, DateTimeOffset? Until, DeliveryState? State);

/// <summary>A place in a list of deliveries, as text.</summary>
static class DeliveryPlace
{
    public static string Of(WebhookDelivery delivery) =>
        string.Create(CultureInfo.InvariantCulture, $"{delivery.CreatedAt.ToUnixTimeMilliseconds()}-{delivery.Event}");

    public static bool TryParse(ReadOnlySpan<char> text, out (DateTimeOffset CreatedAt, string Event) place)
    {
        place = default;
        var dash = text.IndexOf('-');
        if (dash <= 0 || text.Length >= 100
            || !long.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var ms) || ms >= 1L << 43)
            return false;
        place = (DateTimeOffset.FromUnixTimeMilliseconds(ms), text[(dash + 1)..].ToString());
        return true;
    }
}

/// <summary>Reads the bodies and parameters of the calls about webhooks.</summary>
static class WebhookReader
{
    public static WebhookRequest? New(JsonElement body, out Problem? problem) => Read(body, isNew: true, out problem);
    public static WebhookRequest? Change(JsonElement body, out Problem? problem) => Read(body, isNew: false, out problem);

    public static WebhookRequest? Secret(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new WebhookRequest();
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                if (member.Name == "secret")
                    request = request with { Secret = faults.Text(member.Value, "/secret") };
                else
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    public static RedeliverRequest? Again(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        DateTimeOffset? from = null, until = null;
        DeliveryState? state = DeliveryState.Failed;
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "from": from = Instant(member.Value, "/from", faults); break;
                    case "until": until = Instant(member.Value, "/until", faults); break;
                    case "state": state = State(faults.Text(member.Value, "/state"), "/state", faults); break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (from is null && !faults.Any)
            faults.Invalid("/from", "Say from when: an instant with a zone, such as 2026-01-31T00:00:00Z.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new RedeliverRequest(from!.Value, until, state) : null;
    }

    static WebhookRequest? Read(JsonElement body, bool isNew, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new WebhookRequest();
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
            {
                var (value, pointer) = (member.Value, ShapeFaults.Below("", member.Name));
                request = member.Name switch
                {
                    "url" => request with { Url = faults.Text(value, pointer) },
                    "description" => request with { Description = faults.Text(value, pointer) },
                    "events" => request with { Events = Events(value, pointer, faults) },
                    "headers" => request with { Headers = Headers(value, pointer, faults) },
                    "enabled" => request with { Enabled = Flag(value, pointer, faults) },
                    "secret" when isNew => request with { Secret = faults.Text(value, pointer) },
                    "skip_missed" when !isNew => request with { SkipMissed = Flag(value, pointer, faults) == true },
                    _ => Unknown(request, pointer, faults),
                };
            }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static WebhookRequest Unknown(WebhookRequest request, string pointer, ShapeFaults faults)
    {
        faults.Unknown(pointer);
        return request;
    }

    static List<string>? Events(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (!faults.IsArray(value, pointer))
            return null;
        var names = value.EnumerateArray().Index().Select(e => faults.Text(e.Item, ShapeFaults.Below(pointer, e.Index)) ?? "").ToList();
        return EventQuery.ReadTypes(names, pointer, faults);
    }

    static Dictionary<string, string>? Headers(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (!faults.IsObject(value, pointer))
            return null;
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var header in value.EnumerateObject())
            headers[header.Name] = faults.Text(header.Value, ShapeFaults.Below(pointer, header.Name)) ?? "";
        return headers;
    }

    static DateTimeOffset? Instant(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (faults.Text(value, pointer) is not { } text)
            return null;
        if (TimeText.TryParseInstant(text, out var instant))
            return instant;
        faults.Invalid(pointer, "Must be an instant with a zone, such as 2026-01-31T00:00:00Z.");
        return null;
    }

    static DeliveryState? State(string? text, string pointer, ShapeFaults faults)
    {
        switch (text)
        {
            case null or "failed": return DeliveryState.Failed;
            case "delivered": return DeliveryState.Delivered;
            case "all": return null;
            default:
                faults.Invalid(pointer, "Must be failed (the default), delivered or all.");
                return null;
        }
    }

    static bool? Flag(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null))
            faults.Invalid(pointer, "Must be true or false.");
        return value.ValueKind == JsonValueKind.Null ? null : value.ValueKind == JsonValueKind.True;
    }
}
