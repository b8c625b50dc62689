using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Postrider.Providers;

/// <summary>Writes callbacks as a vendor sends them, signed with keys of its own: for simulated vendors, and as the proof of the
/// reader.</summary>
public interface IFeedbackWriter
{
    /// <summary>The scheme of the vendor's transports.</summary>
    string Vendor { get; }

    /// <summary>What the receiver verifies with: the transport's <c>callback_key</c>; for SES the certificate as PEM.</summary>
    string Key { get; }

    /// <summary>One event in a callback of its own. Kinds that the vendor has no event for are not written: null.</summary>
    CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now);
}

/// <summary>A POST to whoever wants to hear.</summary>
public sealed record CallbackRequest(ReadOnlyMemory<byte> Body, string ContentType)
{
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>An object, written member by member.</summary>
    internal static byte[] Object(Action<Utf8JsonWriter> members)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return bytes.ToArray();
    }

    /// <summary>For the secrets and tokens of a simulated vendor.</summary>
    internal static string RandomHex(Entropy entropy, int bytes)
    {
        var random = new byte[bytes];
        entropy.Fill(random);
        return Convert.ToHexStringLower(random);
    }

    internal static string Text(Action<Utf8JsonWriter> members) => Encoding.UTF8.GetString(Object(members));
}
