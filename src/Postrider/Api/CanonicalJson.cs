using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Postrider.Api;

/// <summary>Feeds JSON to a hash so that order of members, white space and escapes do not matter, and nothing else is lost.</summary>
static class CanonicalJson
{
    public static void Append(IncrementalHash hash, JsonElement value)
    {
        hash.AppendData([(byte)value.ValueKind]);
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var members = value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal).ToList();
                AppendLength(hash, members.Count);
                foreach (var member in members)
                {
                    AppendText(hash, Encoding.UTF8.GetBytes(member.Name));
                    Append(hash, member.Value);
                }
                break;
            case JsonValueKind.Array:
                AppendLength(hash, value.GetArrayLength());
                foreach (var item in value.EnumerateArray())
                    Append(hash, item);
                break;
            case JsonValueKind.String:
                // Attachments are megabytes without an escape: hashed where they lie.
                var raw = JsonMarshal.GetRawUtf8Value(value)[1..^1];
                AppendText(hash, raw.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(value.GetString()!) : raw);
                break;
            case JsonValueKind.Number:
                AppendText(hash, JsonMarshal.GetRawUtf8Value(value));
                break;
            default:
                break; // true, false and null are said by their kind
        }
    }

    static void AppendText(IncrementalHash hash, ReadOnlySpan<byte> text)
    {
        AppendLength(hash, text.Length);
        hash.AppendData(text);
    }

    // Every part with its length, so that no two requests have the same bytes.
    static void AppendLength(IncrementalHash hash, int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        hash.AppendData(bytes);
    }
}
