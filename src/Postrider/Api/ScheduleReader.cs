using System.Text.Json;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Api;

/// <summary>Reads the bodies of the calls about schedules.</summary>
static class ScheduleReader
{
    const string Email = "/email";

    /// <summary>Also a change of one: what is absent stays as it is. Null: <paramref name="problem"/> says why.</summary>
    public static ScheduleRequest? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new ScheduleRequest();
        var copies = default(JsonElement);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                request = Take(request, member, faults, ref copies);
        request = WithRecipient(request, copies, faults);
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static ScheduleRequest Take(ScheduleRequest request, JsonProperty member, ShapeFaults faults, ref JsonElement to)
    {
        var (value, pointer) = (member.Value, ShapeFaults.Below("", member.Name));
        switch (member.Name)
        {
            case "name": return request with { Name = faults.Text(value, pointer) };
            case "cron": return request with { Cron = faults.Text(value, pointer) };
            case "at" or "send_at":
                if (request.At is not null)
                    faults.Invalid(pointer, "at and send_at mean the same: give one of them.");
                return request with { At = Times(value, pointer, faults) };
            case "time_zone": return request with { TimeZone = faults.Text(value, pointer) };
            case "starts_at": return request with { StartsAt = faults.Text(value, pointer) };
            case "ends_at": return request with { EndsAt = faults.Text(value, pointer) };
            case "missed": return request with { Missed = faults.Text(value, pointer) };
            case "overlap": return request with { Overlap = faults.Text(value, pointer) };
            case "recipients": return request with { Recipients = Recipients(value, pointer, faults) };
            case "list": return request with { List = ListId(value, pointer, faults) };
            case "email" when faults.IsObject(value, pointer):
                to = value.TryGetProperty("to", out var given) ? given : default;
                if (Mail(value, out var problem) is null)
                    foreach (var error in problem!.Errors)
                        faults.Add(Email + error.Pointer, error.Slug, error.Detail);
                return request with { Email = value.GetRawText() };
            case "email": return request;
            default:
                faults.Unknown(pointer);
                return request;
        }
    }

    /// <summary>A schedule's mail: what <c>POST /emails/send</c> takes without destinations, and one <c>to</c>.</summary>
    public static SubmissionRequest? Mail(JsonElement email, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var draft = new MessageDraft(faults);
        foreach (var member in email.EnumerateObject())
            switch (member.Name)
            {
                case "to": break;
                case "cc" or "bcc":
                    faults.Invalid($"/{member.Name}", "Each recipient gets a message of its own: name them all in the schedule's recipients.");
                    break;
                case "send_at" or "scheduled_at":
                    faults.Invalid($"/{member.Name}", "The schedule says when: give it cron or at.");
                    break;
                default:
                    if (!draft.TryTake(member) && !draft.TryTakeData(member))
                        faults.Unknown(ShapeFaults.Below("", member.Name));
                    break;
            }
        var request = draft.ToRequest();
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    /// <summary>One address in the mail's <c>to</c> says the same as one recipient.</summary>
    static ScheduleRequest WithRecipient(ScheduleRequest request, JsonElement to, ShapeFaults faults)
    {
        if (request.Recipients is not null && request.List is not null)
            faults.Invalid("/list", "Give recipients, or the id of a stored list; not both.");
        if (to.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return request;
        var named = AddressReader.Many(to, $"{Email}/to", faults);
        if (named.Count != 1 || request.Recipients is not null || request.List is not null)
        {
            faults.Invalid($"{Email}/to", "Each recipient gets a message of its own: name them in the schedule's recipients.");
            return request;
        }
        return request with { Recipients = [new Destination(named[0])] };
    }

    static List<string>? Times(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.String)
            return [value.GetString()!];
        if (value.ValueKind is not (JsonValueKind.Array or JsonValueKind.Null))
            faults.Invalid(pointer, "Must be a time as a text, such as \"2027-01-31T09:30\", or a list of them.");
        if (value.ValueKind != JsonValueKind.Array)
            return null;
        var times = new List<string>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
            times.Add(faults.Text(item, ShapeFaults.Below(pointer, times.Count)) ?? "");
        return times;
    }

    /// <summary>A list, or one.</summary>
    static List<Destination>? Recipients(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.Array)
            return AddressReader.One(value, pointer, faults) is { } one ? [new Destination(one)] : [];
        return SendReader.Destinations(value, pointer, faults);
    }

    static MessageId? ListId(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (faults.Text(value, pointer) is not { } text)
            return null;
        if (MessageId.TryParse(text, out var id))
            return id;
        faults.Invalid(pointer, "Must be the id of a stored list, as GET /lists shows it.");
        return null;
    }
}
