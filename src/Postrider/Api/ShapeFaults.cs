using System.Globalization;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>Gathers what is wrong with the shape of a request, each with its JSON pointer, so that a caller hears of all of it at
/// once.</summary>
sealed class ShapeFaults
{
    // More than this many tell nobody more; it bounds the answer to a body of a million faults.
    const int MaxFaults = 100;

    readonly List<ProblemError> _faults = [];

    public bool Any => _faults.Count > 0;
    public Problem ToProblem() => ProblemCatalog.Of(_faults);

    public void Add(string pointer, string slug, string detail)
    {
        if (_faults.Count < MaxFaults)
            _faults.Add(new ProblemError(pointer, slug, detail));
    }

    public void Unknown(string pointer)
    {
        var name = pointer[(pointer.LastIndexOf('/') + 1)..];
        var snake = string.Concat(name.Select(c => char.IsAsciiLetterUpper(c) ? $"_{char.ToLowerInvariant(c)}" : c.ToString()));
        Add(pointer, "unknown-field",
            snake == name || name.Length > 40 ? $"There is no field {name} here."
                : $"There is no field {name} here; fields are written like {snake.TrimStart('_')}.");
    }

    public void Invalid(string pointer, string detail) => Add(pointer, "invalid-field", detail);

    /// <summary>Null for absent; a fault and null for anything that is not a text.</summary>
    public string? Text(JsonElement value, string pointer)
    {
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString();
        if (value.ValueKind != JsonValueKind.Null)
            Invalid(pointer, $"Must be a text, not {Describe(value.ValueKind)}.");
        return null;
    }

    /// <summary>True with an object; null counts as absent, anything else is a fault.</summary>
    public bool IsObject(JsonElement value, string pointer) => Is(value, JsonValueKind.Object, "an object", pointer);

    /// <summary>True with an array, as <see cref="IsObject"/>.</summary>
    public bool IsArray(JsonElement value, string pointer) => Is(value, JsonValueKind.Array, "a list", pointer);

    public static string Below(string pointer, int index) => string.Create(CultureInfo.InvariantCulture, $"{pointer}/{index}");

    /// <summary>RFC 6901 §3: "~" and "/" in a name are escaped.</summary>
    public static string Below(string pointer, string name) =>
        $"{pointer}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    bool Is(JsonElement value, JsonValueKind kind, string what, string pointer)
    {
        if (value.ValueKind == kind)
            return true;
        if (value.ValueKind != JsonValueKind.Null)
            Invalid(pointer, $"Must be {what}, not {Describe(value.ValueKind)}.");
        return false;
    }

    static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        JsonValueKind.Null => "null",
        JsonValueKind.Undefined => "nothing",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
