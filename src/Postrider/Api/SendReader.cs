using System.Text.Json;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>Reads the bodies of the send calls.</summary>
static class SendReader
{
    /// <summary>The body of <c>POST /emails</c>, or one element of a batch. Null: <paramref name="problem"/> says why.</summary>
    public static SubmissionRequest? Email(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var draft = new MessageDraft(faults);
        if (IsMessage(body, faults))
            foreach (var member in body.EnumerateObject())
                if (!draft.TryTake(member) && !draft.TryTakeRecipients(member) && !draft.TryTakeData(member))
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        var request = draft.ToRequest();
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    /// <summary>The elements of <c>POST /emails/batch</c>: a list, or <c>{"emails":[…]}</c>. Null: <paramref name="problem"/> says
    /// why.</summary>
    public static List<SubmissionEntry>? Batch(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var list = body;
        if (body.ValueKind == JsonValueKind.Object)
        {
            list = default;
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("emails"u8))
                    list = member.Value;
                else
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        }
        if (list.ValueKind != JsonValueKind.Array)
            faults.Invalid(body.ValueKind == JsonValueKind.Object ? "/emails" : "", "Must be a list of emails.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? [.. list.EnumerateArray().Select(Entry)] : null;
    }

    /// <summary>The body of <c>POST /emails/send</c>: one message for each destination. Null: <paramref name="problem"/> says
    /// why.</summary>
    public static DestinationsRequest? Send(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var draft = new MessageDraft(faults);
        List<Destination>? destinations = null;
        MessageId? list = null;
        if (IsMessage(body, faults))
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("list"u8))
                    list = List(member.Value, faults);
                else if (member.NameEquals("destinations"u8))
                    destinations = Destinations(member.Value, "/destinations", faults);
                else if (member.NameEquals("plainContent"u8))
                    draft.TakePlainContent(member.Value);
                else if (!draft.TryTake(member) && !draft.TryTakeData(member))
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        if (list is not null && destinations is not null)
            faults.Invalid("/list", "Give either destinations or a list.");
        var request = draft.ToRequest();
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new DestinationsRequest(request, destinations ?? [], list) : null;
    }

    /// <summary>The body of <c>POST /batches</c>: as of <c>/emails/send</c>, without destinations.</summary>
    public static DestinationsRequest? Large(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var draft = new MessageDraft(faults);
        MessageId? list = null;
        if (IsMessage(body, faults))
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("list"u8))
                    list = List(member.Value, faults);
                else if (!draft.TryTake(member) && !draft.TryTakeData(member))
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        var request = draft.ToRequest();
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new DestinationsRequest(request, [], list) : null;
    }

    static MessageId? List(JsonElement value, ShapeFaults faults)
    {
        if (faults.Text(value, "/list") is not { } text)
            return null;
        if (MessageId.TryParse(text, out var list))
            return list;
        faults.Invalid("/list", "Must be the id of a list: GET /lists tells it.");
        return null;
    }

    /// <summary>The body of <c>PATCH /emails/{id}</c>: the new time. Null: <paramref name="problem"/> says why.</summary>
    public static string? SendAt(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? sendAt = null;
        if (IsMessage(body, faults))
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("send_at"u8) || member.NameEquals("scheduled_at"u8))
                    sendAt = faults.Text(member.Value, $"/{member.Name}") ?? sendAt;
                else
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        if (sendAt is null && !faults.Any)
            faults.Invalid("/send_at", "Needs the new time.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? sendAt : null;
    }

    static SubmissionEntry Entry(JsonElement element) =>
        Email(element, out var problem) is { } request ? new SubmissionEntry(request) : new SubmissionEntry(problem!);

    static bool IsMessage(JsonElement body, ShapeFaults faults)
    {
        if (body.ValueKind == JsonValueKind.Object)
            return true;
        faults.Invalid("", "The body must be an object.");
        return false;
    }

    /// <summary>A list of addresses, each with a name and data of its own where it has them.</summary>
    public static List<Destination> Destinations(JsonElement value, string list, ShapeFaults faults)
    {
        if (!faults.IsArray(value, list))
            return [];
        var destinations = new List<Destination>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            var pointer = ShapeFaults.Below(list, destinations.Count);
            var address = OneDestination(item, pointer, faults, out var data);
            destinations.Add(new Destination(address, data.ValueKind == JsonValueKind.Undefined ? null : data));
        }
        return destinations;
    }

    static AddressText OneDestination(JsonElement item, string pointer, ShapeFaults faults, out JsonElement data)
    {
        data = default;
        if (item.ValueKind != JsonValueKind.Object)
            return AddressReader.One(item, pointer, faults) ?? new AddressText("");
        string? email = null, name = null;
        foreach (var member in item.EnumerateObject())
            switch (member.Name)
            {
                case "email": email = faults.Text(member.Value, $"{pointer}/email"); break;
                case "name": name = faults.Text(member.Value, $"{pointer}/name"); break;
                case "data": data = TemplateReader.Data(member.Value, $"{pointer}/data", faults); break;
                default: faults.Unknown(ShapeFaults.Below(pointer, member.Name)); break;
            }
        if (email is null)
            faults.Invalid($"{pointer}/email", "A destination needs an email.");
        return new AddressText(email ?? "", name, IsAddressOnly: true);
    }
}

/// <summary>One content for many destinations.</summary>
/// <param name="List">Null: the destinations are those given.</param>
sealed record DestinationsRequest(SubmissionRequest Content, IReadOnlyList<Destination> Destinations, MessageId? List);
