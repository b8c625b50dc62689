using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>Addresses: <c>"Name &lt;a@b&gt;"</c> or <c>{"email","name"}</c>, one or a list.</summary>
static class AddressReader
{
    public static AddressText? One(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.String)
            return new AddressText(value.GetString()!);
        if (value.ValueKind == JsonValueKind.Object)
            return Parts(value, pointer, faults);
        if (value.ValueKind != JsonValueKind.Null)
            faults.Invalid(pointer, "Must be an address: \"Name <a@example.com>\" or {\"email\", \"name\"}.");
        return null;
    }

    public static List<AddressText> Many(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return One(value, pointer, faults) is { } one ? [one] : [];
        var addresses = new List<AddressText>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            var at = ShapeFaults.Below(pointer, addresses.Count);
            if (item.ValueKind == JsonValueKind.Null)
                faults.Invalid(at, "Must be an address, not null.");
            // A fault takes its place, so that the pointers after it are right.
            addresses.Add(One(item, at, faults) ?? new AddressText(""));
        }
        return addresses;
    }

    static AddressText? Parts(JsonElement value, string pointer, ShapeFaults faults)
    {
        string? email = null, name = null;
        foreach (var member in value.EnumerateObject())
            if (member.NameEquals("email"u8))
                email = faults.Text(member.Value, $"{pointer}/email");
            else if (member.NameEquals("name"u8))
                name = faults.Text(member.Value, $"{pointer}/name");
            else
                faults.Unknown(ShapeFaults.Below(pointer, member.Name));
        if (email is not null)
            return new AddressText(email, name, IsAddressOnly: true);
        faults.Invalid($"{pointer}/email", "An address as an object needs an email.");
        return null;
    }
}

/// <summary>Header fields: an object, or a list of <c>{"name","value"}</c> where a name repeats.</summary>
static class HeaderReader
{
    public static List<KeyValuePair<string, string>> Read(JsonElement value, ShapeFaults faults)
    {
        var headers = new List<KeyValuePair<string, string>>();
        if (value.ValueKind == JsonValueKind.Array)
            ReadList(value, headers, faults);
        else if (faults.IsObject(value, "/headers"))
            foreach (var member in value.EnumerateObject())
                if (faults.Text(member.Value, ShapeFaults.Below("/headers", member.Name)) is { } text)
                    headers.Add(new(member.Name, text));
        return headers;
    }

    static void ReadList(JsonElement value, List<KeyValuePair<string, string>> headers, ShapeFaults faults)
    {
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            var pointer = ShapeFaults.Below("/headers", index++);
            if (NameAndValue.Read(item, pointer, faults) is { } pair)
                headers.Add(pair);
        }
    }
}

/// <summary>Objects of a name and a value.</summary>
static class NameAndValue
{
    public static KeyValuePair<string, string>? Read(JsonElement item, string pointer, ShapeFaults faults)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            faults.Invalid(pointer, "Must be an object with name and value.");
            return null;
        }
        string? name = null, value = null;
        foreach (var member in item.EnumerateObject())
            if (member.NameEquals("name"u8))
                name = faults.Text(member.Value, $"{pointer}/name");
            else if (member.NameEquals("value"u8))
                value = faults.Text(member.Value, $"{pointer}/value");
            else
                faults.Unknown(ShapeFaults.Below(pointer, member.Name));
        if (name is not null && value is not null)
            return new(name, value);
        if (name is null)
            faults.Invalid($"{pointer}/name", "Must be a text.");
        if (value is null)
            faults.Invalid($"{pointer}/value", "Must be a text.");
        return null;
    }
}

/// <summary>Tags: texts, or Resend's <c>{"name","value"}</c>, which becomes the tag <c>name:value</c>. Metadata: an object of
/// texts.</summary>
static class TagReader
{
    public static List<string> Tags(JsonElement value, ShapeFaults faults)
    {
        var tags = new List<string>();
        if (!faults.IsArray(value, "/tags"))
            return tags;
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            var pointer = ShapeFaults.Below("/tags", index++);
            if (item.ValueKind == JsonValueKind.String)
                tags.Add(item.GetString()!);
            else if (NameAndValue.Read(item, pointer, faults) is { } pair)
                tags.Add($"{pair.Key}:{pair.Value}");
        }
        return tags;
    }

    public static List<MetadataEntry> Metadata(JsonElement value, ShapeFaults faults)
    {
        var entries = new List<MetadataEntry>();
        if (!faults.IsObject(value, "/metadata"))
            return entries;
        foreach (var member in value.EnumerateObject())
            if (faults.Text(member.Value, ShapeFaults.Below("/metadata", member.Name)) is { } text)
                entries.Add(new MetadataEntry(member.Name, text));
        return entries;
    }
}

/// <summary>Attachments: <c>{"filename","content","content_type","content_id","disposition"}</c>; <c>path</c> is Resend's word for a
/// URL.</summary>
static class AttachmentReader
{
    public static List<AttachmentText> Read(JsonElement value, ShapeFaults faults)
    {
        var attachments = new List<AttachmentText>();
        if (!faults.IsArray(value, "/attachments"))
            return attachments;
        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            var pointer = ShapeFaults.Below("/attachments", index++);
            if (item.ValueKind == JsonValueKind.Object)
                attachments.Add(One(item, pointer, faults));
            else
                faults.Invalid(pointer, "Must be an object with filename and content.");
        }
        return attachments;
    }

    static AttachmentText One(JsonElement item, string pointer, ShapeFaults faults)
    {
        string? fileName = null, contentType = null, contentId = null, disposition = null, url = null;
        ReadOnlyMemory<byte>? bytes = null;
        foreach (var member in item.EnumerateObject())
            switch (member.Name)
            {
                case "filename": fileName = faults.Text(member.Value, $"{pointer}/filename"); break;
                case "content": bytes = Base64(member.Value, $"{pointer}/content", faults); break;
                case "content_type": contentType = faults.Text(member.Value, $"{pointer}/content_type"); break;
                case "content_id": contentId = faults.Text(member.Value, $"{pointer}/content_id"); break;
                case "disposition": disposition = faults.Text(member.Value, $"{pointer}/disposition"); break;
                case "path" or "url": url ??= faults.Text(member.Value, $"{pointer}/{member.Name}"); break;
                default: faults.Unknown(ShapeFaults.Below(pointer, member.Name)); break;
            }
        return new AttachmentText(fileName, contentType, null, contentId, bytes) { Url = url, Disposition = disposition };
    }

    // Straight from the body's bytes: as a text it would be twice as large.
    static ReadOnlyMemory<byte>? Base64(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes))
            return bytes;
        if (value.ValueKind != JsonValueKind.Null)
            faults.Add(pointer, "invalid-attachment", "The content is not base64 (RFC 4648 §4, with padding).");
        return value.ValueKind == JsonValueKind.Null ? null : ReadOnlyMemory<byte>.Empty;
    }
}
