using System.Text.Encodings.Web;
using System.Text.Json;
using Postrider.Api;
using Postrider.Messages;

namespace Postrider.Dashboard.Parts;

/// <summary>JSON that people type.</summary>
static class TypedJson
{
    static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };
    static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Undefined for nothing, and with a <paramref name="problem"/>, which says the place.</summary>
    public static JsonElement Object(string text, string pointer, out Problem? problem)
    {
        problem = null;
        if (string.IsNullOrWhiteSpace(text))
            return default;
        try
        {
            using var document = JsonDocument.Parse(text, Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document.RootElement.Clone();
            problem = Bad(pointer, "This is JSON, but no object. Write {\"name\": \"Ann\"}.", null);
        }
        catch (JsonException fault)
        {
            var place = new TextPlace((int)(fault.LineNumber ?? 0) + 1, (int)(fault.BytePositionInLine ?? 0) + 1);
            problem = Bad(pointer, $"This is no JSON (line {place.Line}, column {place.Column}). Names and texts stand in double quotes: {{\"name\": \"Ann\"}}.", place);
        }
        return default;
    }

    static Problem Bad(string pointer, string detail, TextPlace? place) =>
        ProblemCatalog.Make("invalid-field", detail, new ProblemError(pointer, "invalid-field", detail) { Place = place });

    /// <summary>In lines, for people.</summary>
    public static string Pretty(JsonElement value)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, Indented))
            value.WriteTo(writer);
        return System.Text.Encoding.UTF8.GetString(bytes.ToArray());
    }
}
