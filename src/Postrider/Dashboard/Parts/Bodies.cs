using System.Text.Json;
using System.Text.Json.Nodes;

namespace Postrider.Dashboard.Parts;

/// <summary>What was typed as the API's readers take it: what a body may say is said in one place.</summary>
static class Bodies
{
    public static JsonElement ToBody(this JsonObject body) => JsonElement.Parse(body.ToJsonString());

    /// <summary>A text that was left empty is not said.</summary>
    public static JsonObject With(this JsonObject body, string name, string? text)
    {
        if (!string.IsNullOrWhiteSpace(text))
            body[name] = text.Trim();
        return body;
    }
}
