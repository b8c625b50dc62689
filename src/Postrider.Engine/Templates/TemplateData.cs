using System.Globalization;
using System.Text.Json;

namespace Postrider.Templates;

/// <summary>What a template is filled in with: texts, numbers, booleans, lists and objects out of JSON, and nothing else that a path could
/// reach.</summary>
public sealed class TemplateData
{
    TemplateData(Dictionary<string, object?> root) => Root = root;

    internal Dictionary<string, object?> Root { get; }

    /// <param name="data">An object; undefined and null are an empty one. Nothing of it is kept.</param>
    public static TemplateData Of(JsonElement data) => new(ObjectOf(data));

    /// <summary>The members of <paramref name="own"/> over those of this.</summary>
    public TemplateData With(JsonElement own)
    {
        var root = new Dictionary<string, object?>(Root, StringComparer.Ordinal);
        foreach (var (name, value) in ObjectOf(own))
            root[name] = value;
        return new TemplateData(root);
    }

    static Dictionary<string, object?> ObjectOf(JsonElement element)
    {
        var members = new Dictionary<string, object?>(StringComparer.Ordinal);
        if (element.ValueKind == JsonValueKind.Object)
            foreach (var member in element.EnumerateObject())
                members[member.Name] = ValueOf(member.Value);
        return members;
    }

    static object? ValueOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => ObjectOf(element),
        JsonValueKind.Array => element.EnumerateArray().Select(ValueOf).ToArray(),
        JsonValueKind.String => element.GetString(),
        // As a rule decimal: 12.50 stays what it was.
        JsonValueKind.Number => element.TryGetDecimal(out var number) ? number : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        _ => throw new ArgumentOutOfRangeException(nameof(element)),
    };
}

/// <summary>What values mean, as in Handlebars.</summary>
static class TemplateValues
{
    /// <summary>What a path leads to that leads nowhere; null is a value that was given.</summary>
    public static readonly object Missing = new();

    public static object? Member(object? of, string name) => of switch
    {
        Dictionary<string, object?> members => members.TryGetValue(name, out var value) ? value : Missing,
        object?[] list when name == "length" => (decimal)list.Length,
        object?[] list => Index(name) is { } index && index < list.Length ? list[index] : Missing,
        string text when name == "length" => (decimal)text.Length,
        string text => Index(name) is { } index && index < text.Length ? text[index].ToString() : Missing,
        _ => Missing,
    };

    static int? Index(string name) => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;

    public static bool IsMissing(object? value) => ReferenceEquals(value, Missing);

    public static bool IsTrue(object? value) => value switch
    {
        null or false or "" or 0m or 0d or double.NaN => false,
        object?[] list => list.Length > 0,
        _ => !IsMissing(value),
    };

    /// <summary>Nothing to go into: like false, but a zero is something.</summary>
    public static bool IsEmpty(object? value) => !IsTrue(value) && value is not (0m or 0d);

    public static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        true => "true",
        false => "false",
        decimal number => number.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        object?[] list => string.Join(',', list.Select(Text)),
        Dictionary<string, object?> => "[object Object]",
        _ => "",
    };

    /// <summary>How much there is to go through to print it, in steps: the items of a list, and each KiB of a text.</summary>
    public static int Weight(object? value) => value switch
    {
        string text => text.Length / 1_024,
        object?[] list => list.Length + list.Sum(Weight),
        _ => 0,
    };

    /// <summary>Null where it is no number and no text of one.</summary>
    public static decimal? Number(object? value) => value switch
    {
        decimal number => number,
        double number => Math.Abs(number) < 1e28 ? (decimal)number : null,
        string text when decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => null,
    };

    /// <summary>Numbers and texts of numbers by their value, all else by what is printed.</summary>
    public static bool AreEqual(object? one, object? other)
    {
        if (Number(one) is { } first && Number(other) is { } second)
            return first == second;
        if (one is null || other is null || IsMissing(one) || IsMissing(other))
            return !(one is not null && !IsMissing(one)) && !(other is not null && !IsMissing(other));
        return string.Equals(Text(one), Text(other), StringComparison.Ordinal);
    }

    /// <summary>Null where the two cannot be compared.</summary>
    public static int? Compare(object? one, object? other)
    {
        if (Number(one) is { } first && Number(other) is { } second)
            return first.CompareTo(second);
        return one is string text && other is string second2 ? string.CompareOrdinal(text, second2) : null;
    }
}
