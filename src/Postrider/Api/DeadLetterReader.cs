using System.Text.Json;
using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>Has letters sent again or discarded: a job, which whoever works jobs off hears of at once.</summary>
sealed class DeadLetterOrders(IDeadLetterStore letters, Redriver redriver, TimeProvider clock)
{
    public async Task<RedriveJob> PlaceAsync(Principal caller, RedriveAction action, DeadLetterOrder order)
    {
        var job = await letters.AddJobAsync(new RedriveJob
        {
            Tenant = caller.Tenant,
            Action = action,
            Filter = order.Filter,
            PerSecond = order.PerSecond,
            CreatedAt = clock.GetUtcNow(),
            CreatedBy = caller.KeyId,
        });
        redriver.Wake();
        return job;
    }
}

/// <summary>What <c>POST /dead-letters/redrive</c> and <c>/discard</c> ask for.</summary>
sealed record DeadLetterOrder(DeadLetterFilter Filter, int PerSecond);

/// <summary>Reads filters of dead letters, from a query or a body.</summary>
static class DeadLetterReader
{
    const int MaxIds = 1_000;
    const int MaxPerSecond = 10_000;
    const int MaxWord = 200;

    public static DeadLetterFilter Query(ListQuery query)
    {
        var filter = new DeadLetterFilter();
        foreach (var parameter in DeadLetterEndpoints.FilterParameters)
            if (query.Text(parameter.Name) is { } text)
                filter = Take(filter, parameter.Name, text, "", query.Faults);
        return filter;
    }

    public static DeadLetterOrder? Order(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        DeadLetterFilter? filter = null;
        IReadOnlyList<string>? ids = null;
        var all = false;
        var perSecond = Redriver.PolicyPerSecond;
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "ids": ids = Ids(member.Value, faults); break;
                    case "filter": filter = Filter(member.Value, faults); break;
                    case "all": all = member.Value.ValueKind == JsonValueKind.True; break;
                    case "per_second": perSecond = PerSecond(member.Value, perSecond, faults); break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (!faults.Any && (ids is null ? 0 : 1) + (filter is null ? 0 : 1) + (all ? 1 : 0) != 1)
            faults.Invalid("", "Say exactly one of ids, filter, and \"all\": true.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new DeadLetterOrder(filter ?? new DeadLetterFilter { Ids = ids }, perSecond) : null;
    }

    static DeadLetterFilter? Filter(JsonElement value, ShapeFaults faults)
    {
        if (!faults.IsObject(value, "/filter"))
            return null;
        var filter = new DeadLetterFilter();
        foreach (var member in value.EnumerateObject())
        {
            var pointer = ShapeFaults.Below("/filter", member.Name);
            var text = member.Value.ValueKind switch
            {
                JsonValueKind.True => "true",
                JsonValueKind.False => "false",
                _ => faults.Text(member.Value, pointer),
            };
            if (text is not null)
                filter = Take(filter, member.Name, text, pointer, faults);
        }
        // Else it would mean everything, which is said by "all".
        if (!faults.Any && filter == new DeadLetterFilter())
            faults.Invalid("/filter", "Name at least one property; for every letter say \"all\": true.");
        return filter;
    }

    static DeadLetterFilter Take(DeadLetterFilter filter, string name, string text, string pointer, ShapeFaults faults)
    {
        if (text.Length > MaxWord)
        {
            faults.Invalid(pointer, $"{name} must have at most {MaxWord} characters.");
            return filter;
        }
        switch (name)
        {
            case "status" when State(text) is { } state: return filter with { State = state };
            case "status": faults.Invalid(pointer, "status must be failed, expired or held."); break;
            case "reason" when DeadLetterReasons.All.Contains(text): return filter with { Reason = text };
            case "reason": faults.Invalid(pointer, $"reason must be one of {string.Join(", ", DeadLetterReasons.All)}."); break;
            case "transport": return filter with { Transport = text };
            case "transient" when text is "true" or "false": return filter with { Transient = text == "true" };
            case "transient": faults.Invalid(pointer, "transient must be true or false."); break;
            case "from" when TimeText.TryParseInstant(text, out var from): return filter with { From = from };
            case "until" when TimeText.TryParseInstant(text, out var until): return filter with { Until = until };
            case "from" or "until":
                faults.Invalid(pointer, $"{name} must be an instant with a zone, such as 2026-01-31T09:30:00Z.");
                break;
            default:
                faults.Add(pointer, "unknown-field",
                    $"There is no {name} here; there are status, reason, transport, transient, from and until.");
                break;
        }
        return filter;
    }

    static RecipientState? State(string text) => text switch
    {
        "failed" => RecipientState.Failed,
        "expired" => RecipientState.Expired,
        "held" => RecipientState.Held,
        _ => null,
    };

    static List<string>? Ids(JsonElement value, ShapeFaults faults)
    {
        if (!faults.IsArray(value, "/ids"))
            return null;
        if (value.GetArrayLength() is 0 or > MaxIds)
        {
            faults.Invalid("/ids", $"Name 1 to {MaxIds:N0} ids; for more, say a filter.");
            return [];
        }
        var ids = new List<string>();
        foreach (var item in value.EnumerateArray())
        {
            var text = item.ValueKind == JsonValueKind.String ? item.GetString() : null;
            if (text is null || !RecipientId.TryParse(text, out _))
                faults.Invalid(ShapeFaults.Below("/ids", ids.Count), "Must be the id of a dead letter, a message's id with -N behind it, "
                    + "as GET /dead-letters shows it. All of one message is sent again by POST /emails/{id}/retry.");
            ids.Add(text ?? "");
        }
        return ids;
    }

    static int PerSecond(JsonElement value, int otherwise, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return otherwise;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number is >= 1 and <= MaxPerSecond)
            return number;
        faults.Invalid("/per_second", $"Must be a whole number from 1 to {MaxPerSecond:N0}.");
        return otherwise;
    }
}
