using System.Text.Json;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary>Reads what is to be tracked: <c>{"opens", "clicks", "text"}</c>, true for the first two, or false for all.</summary>
static class TrackReader
{
    /// <summary>Null: nothing is said.</summary>
    public static TrackRequest? Read(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return new TrackRequest(value.GetBoolean(), value.GetBoolean(), value.GetBoolean() ? null : false);
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.Object)
        {
            faults.Invalid(pointer, """Must be an object such as {"opens":true,"clicks":true}, or true for both, or false.""");
            return null;
        }
        var track = default(TrackRequest);
        foreach (var member in value.EnumerateObject())
            switch (member.Name)
            {
                case "opens": track = track with { Opens = Flag(member.Value, $"{pointer}/opens", faults) }; break;
                case "clicks": track = track with { Clicks = Flag(member.Value, $"{pointer}/clicks", faults) }; break;
                case "text": track = track with { Text = Flag(member.Value, $"{pointer}/text", faults) }; break;
                default: faults.Unknown(ShapeFaults.Below(pointer, member.Name)); break;
            }
        return track;
    }

    /// <summary><c>{"transactional", "bulk", "stopped"}</c>; null: nothing is tracked.</summary>
    public static TenantTracking? Tenant(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Null || !faults.IsObject(value, pointer))
            return null;
        var tracking = new TenantTracking(default, default, IsStopped: false);
        foreach (var member in value.EnumerateObject())
            switch (member.Name)
            {
                case "transactional":
                    tracking = tracking with { Transactional = Stream(member.Value, $"{pointer}/transactional", faults) };
                    break;
                case "bulk": tracking = tracking with { Bulk = Stream(member.Value, $"{pointer}/bulk", faults) }; break;
                case "stopped": tracking = tracking with { IsStopped = Flag(member.Value, $"{pointer}/stopped", faults) ?? false }; break;
                default: faults.Unknown(ShapeFaults.Below(pointer, member.Name)); break;
            }
        return tracking;
    }

    static Tracked Stream(JsonElement value, string pointer, ShapeFaults faults) =>
        (Read(value, pointer, faults) ?? default).Over(default);

    static bool? Flag(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.GetBoolean();
        if (value.ValueKind != JsonValueKind.Null)
            faults.Invalid(pointer, "Must be true or false.");
        return null;
    }
}
