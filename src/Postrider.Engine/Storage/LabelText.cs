using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Tags and metadata as text: JSON, so that a filter finds a whole tag or pair by its quoted form and nothing else.</summary>
static class LabelText
{
    public static string Tags(IReadOnlyList<string> tags) => JsonSerializer.Serialize(tags, LabelJson.Default.IReadOnlyListString);

    public static IReadOnlyList<string> ReadTags(string? text) =>
        text is null ? [] : JsonSerializer.Deserialize(text, LabelJson.Default.IReadOnlyListString) ?? [];

    /// <summary><c>{"name":"value",…}</c>, in the order given.</summary>
    public static string Metadata(IReadOnlyList<MetadataEntry> metadata) => $"{{{string.Join(',', metadata.Select(Pair))}}}";

    /// <summary>What a text made by <see cref="Metadata"/> contains exactly when it has the entry: quotes inside names and values are
    /// escaped.</summary>
    public static string Pair(MetadataEntry entry) => $"{Quote(entry.Name)}:{Quote(entry.Value)}";

    /// <summary>What a text made by <see cref="Tags"/> contains exactly when it has the tag.</summary>
    public static string Quote(string text) => JsonSerializer.Serialize(text, LabelJson.Default.String);

    public static IReadOnlyList<MetadataEntry> ReadMetadata(string? text)
    {
        if (text is null)
            return [];
        using var document = JsonDocument.Parse(text);
        return [.. document.RootElement.EnumerateObject().Select(p => new MetadataEntry(p.Name, p.Value.GetString() ?? ""))];
    }
}

[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(string))]
sealed partial class LabelJson : JsonSerializerContext;
