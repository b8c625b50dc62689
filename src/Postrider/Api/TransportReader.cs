using System.ComponentModel;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Transports;

namespace Postrider.Api;

/// <summary>What a body says of a transport.</summary>
/// <param name="Options">With null: to be removed. Null: nothing is said.</param>
sealed record TransportRequest(string? Name, string? Dsn, IReadOnlyDictionary<string, string?>? Options, bool IsShared);

/// <summary>What a body says of a route.</summary>
/// <param name="Change">What becomes of the terms there are.</param>
sealed record RouteRequest(string? Name, bool IsShared, Func<RouteTerms, RouteTerms> Change);

/// <summary>Reads the bodies of the calls about transports and routes.</summary>
static class TransportReader
{
    const int MostRules = 100;

    public static TransportRequest? ReadNew(JsonElement body, out Problem? problem) => Read(body, isNew: true, out problem);

    public static TransportRequest? ReadChange(JsonElement body, out Problem? problem) => Read(body, isNew: false, out problem);

    static TransportRequest? Read(JsonElement body, bool isNew, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new TransportRequest(null, null, null, false);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "name" when isNew: request = request with { Name = faults.Text(member.Value, "/name") }; break;
                    case "shared" when isNew: request = request with { IsShared = Flag(member.Value, "/shared", faults) }; break;
                    case "dsn": request = request with { Dsn = faults.Text(member.Value, "/dsn") }; break;
                    case "options" when !isNew: request = request with { Options = Options(member.Value, faults) }; break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (isNew && request.Name is null && !faults.Any)
            faults.Invalid("/name", "Give the transport a name, such as own-relay.");
        if (isNew && request.Dsn is null && !faults.Any)
            faults.Invalid("/dsn", "Say where it leads, such as smtp://user:password@smtp.example.com:587.");
        if (!isNew && !faults.Any && (request.Dsn is null) == (request.Options is null))
            faults.Invalid("/dsn", "Give either dsn or options.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static Dictionary<string, string?>? Options(JsonElement options, ShapeFaults faults)
    {
        if (!faults.IsObject(options, "/options"))
            return null;
        var read = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var option in options.EnumerateObject())
            read[option.Name] = option.Value.ValueKind == JsonValueKind.Number
                ? option.Value.GetRawText() : faults.Text(option.Value, ShapeFaults.Below("/options", option.Name));
        return read;
    }

    public static RouteRequest? ReadNewRoute(JsonElement body, out Problem? problem) => ReadRoute(body, isNew: true, out problem);

    public static RouteRequest? ReadRouteChange(JsonElement body, out Problem? problem) => ReadRoute(body, isNew: false, out problem);

    static RouteRequest? ReadRoute(JsonElement body, bool isNew, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? name = null;
        var isShared = false;
        List<Func<RouteTerms, RouteTerms>> changes = [];
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "name" when isNew: name = faults.Text(member.Value, "/name"); break;
                    case "shared" when isNew: isShared = Flag(member.Value, "/shared", faults); break;
                    default:
                        if (Change(member, faults) is { } change)
                            changes.Add(change);
                        break;
                }
        if (isNew && name is null && !faults.Any)
            faults.Invalid("/name", "Give the route a name, such as news; default is what mail goes by otherwise.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new RouteRequest(name, isShared, now => changes.Aggregate(now, (terms, change) => change(terms))) : null;
    }

    static Func<RouteTerms, RouteTerms>? Change(JsonProperty member, ShapeFaults faults)
    {
        var pointer = ShapeFaults.Below("", member.Name);
        switch (member.Name)
        {
            case "transports":
                var transports = Texts(member.Value, pointer, faults);
                return now => now with { Transports = transports };
            case "strategy":
                var strategy = faults.Text(member.Value, pointer);
                return now => now with { Strategy = strategy };
            case "retry":
                var retry = faults.Text(member.Value, pointer);
                return now => now with { Retry = retry };
            case "spill":
                var spill = faults.Text(member.Value, pointer);
                return now => now with { Spill = spill };
            case "on_ambiguous":
                var policy = faults.Text(member.Value, pointer);
                return now => now with { OnAmbiguous = policy };
            case "position":
                if (!member.Value.TryGetPosition(out var position))
                    faults.Invalid(pointer, "Must be a whole number from 0 to 1,000,000.");
                return now => now with { Position = position };
            case "rules":
                var rules = Rules(member.Value, faults);
                return now => now with { Rules = rules };
            default:
                faults.Unknown(pointer);
                return null;
        }
    }

    static bool TryGetPosition(this JsonElement value, out int position)
    {
        position = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out position) && position is >= 0 and <= 1_000_000;
    }

    static List<string> Texts(JsonElement value, string pointer, ShapeFaults faults)
    {
        var texts = new List<string>();
        if (faults.IsArray(value, pointer))
            foreach (var (index, item) in value.EnumerateArray().Index())
                if (faults.Text(item, ShapeFaults.Below(pointer, index)) is { } text)
                    texts.Add(text);
        return texts;
    }

    static List<RouteTermsRule> Rules(JsonElement value, ShapeFaults faults)
    {
        var rules = new List<RouteTermsRule>();
        if (!faults.IsArray(value, "/rules"))
            return rules;
        if (value.GetArrayLength() > MostRules)
            faults.Invalid("/rules", $"There may be {MostRules} rules. Give the mail a tag, and a rule for the tag.");
        else
            foreach (var (index, item) in value.EnumerateArray().Index())
                rules.Add(Rule(item, ShapeFaults.Below("/rules", index), faults));
        return rules;
    }

    static RouteTermsRule Rule(JsonElement item, string pointer, ShapeFaults faults)
    {
        var rule = new RouteTermsRule(null, null, null, null);
        if (faults.IsObject(item, pointer))
            foreach (var member in item.EnumerateObject())
            {
                var place = ShapeFaults.Below(pointer, member.Name);
                switch (member.Name)
                {
                    case "stream": rule = rule with { Stream = faults.Text(member.Value, place) }; break;
                    case "tag": rule = rule with { Tag = faults.Text(member.Value, place) }; break;
                    case "sender_domain": rule = rule with { SenderDomain = faults.Text(member.Value, place) }; break;
                    case "recipient_domain": rule = rule with { RecipientDomain = faults.Text(member.Value, place) }; break;
                    default: faults.Unknown(place); break;
                }
            }
        return rule;
    }

    static bool Flag(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null))
            faults.Invalid(pointer, "Must be true or false.");
        return value.ValueKind == JsonValueKind.True;
    }
}

/// <summary>What <c>POST /transports</c> takes.</summary>
sealed record NewTransportShape
{
    [Description("a-z, 0-9, '-', '_' and '.'; unique among those that you see.")]
    public required string Name { get; init; }
    [Description("scheme://user:password@host:port?option=value, as in POSTRIDER_TRANSPORTS.")]
    public required string Dsn { get; init; }
    [Description("Every tenant may use it. For administrators of the first tenant. Default false.")]
    public bool? Shared { get; init; }
}

/// <summary>What <c>PATCH /transports/{name}</c> takes: one of both.</summary>
sealed record TransportChangeShape
{
    [Description("The whole new DSN, with its secrets.")]
    public string? Dsn { get; init; }
    [Description("Options of the DSN to set, or with null to remove. Secrets and endpoint need the whole DSN.")]
    public IReadOnlyDictionary<string, OptionValueShape>? Options { get; init; }
}

/// <summary>What a route is made of; what is left out or null is as the installation has it.</summary>
record RouteShape
{
    [Description("Names in the order of preference. Empty: all that you may use.")]
    public IReadOnlyList<string>? Transports { get; init; }
    [Description("priority (default), sticky, round_robin or weighted.")]
    public string? Strategy { get; init; }
    [Description("After deferrals: 10m,10m,10m.")]
    public string? Retry { get; init; }
    [Description("How long a rate limit must last before the next transport is used, or off. Default 1s.")]
    public string? Spill { get; init; }
    [Description("retry or hold, for messages that do not say.")]
    public string? OnAmbiguous { get; init; }
    [Description("A message that names no route and fits one of them goes by this route; the parts of one must all fit.")]
    public IReadOnlyList<RouteRuleShape>? Rules { get; init; }
    [Description("Rules of routes with a lower one are looked at first. Default 0; then by name.")]
    public int? Position { get; init; }
}

/// <summary>What <c>POST /routes</c> takes.</summary>
sealed record NewRouteShape : RouteShape
{
    [Description("a-z, 0-9, '-', '_' and '.'.")]
    public required string Name { get; init; }
    [Description("Every tenant may use it. For administrators of the first tenant. Default false.")]
    public bool? Shared { get; init; }
}

/// <summary>What mail a route takes without being named: all that is given must match.</summary>
sealed record RouteRuleShape(
    [property: Description("transactional or bulk.")] string? Stream, [property: Description("One of the message's tags.")] string? Tag,
    [property: Description("Of the From address.")] string? SenderDomain,
    [property: Description("Of every recipient.")] string? RecipientDomain);
