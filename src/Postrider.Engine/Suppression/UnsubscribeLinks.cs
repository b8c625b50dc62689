using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Suppression;

/// <summary>Who unsubscribes, and from what.</summary>
/// <param name="N">The recipient's number in the message.</param>
public readonly record struct Unsubscription(TenantId Tenant, MailStream Stream, MessageId Message, int N, string Email);

/// <summary>Links by which recipients of bulk mail unsubscribe with one click (RFC 8058), and the header fields that carry them.</summary>
/// <remarks>
/// A link holds all that it takes, so it works as long as the key is there, whatever of the message is kept: AES-256-GCM over tenant,
/// stream, message, recipient and address. Who does not have the key can neither make one nor read an address out of it. The nonce is
/// made from what is sealed (HMAC-SHA-256), so that every try of a message is the same bytes; it repeats for the same text alone.
/// </remarks>
/// <param name="key">32 bytes for this purpose alone: a token of another kind does not open here.</param>
/// <param name="publicUrl">How the world reaches us. Without one that begins with https and is not of this machine nothing is added: RFC
/// 8058 §3.1 asks for HTTPS.</param>
public sealed class UnsubscribeLinks(ReadOnlySpan<byte> key, string publicUrl)
{
    public const string Path = "/u/";

    const byte Version = 1;
    const int NonceBytes = 12;
    const int TagBytes = 16;
    const int FixedBytes = 4 + 1 + 8 + 4; // tenant, stream, message, number

    // Longer than any address of RFC 5321 §4.5.3.1.3 makes it.
    const int MaxTokenLength = 600;

    const string Field = "List-Unsubscribe";
    const string PostField = "List-Unsubscribe-Post";

    readonly byte[] _sealing = HKDF.Expand(HashAlgorithmName.SHA256, key.ToArray(), 32, "seal"u8.ToArray());
    readonly byte[] _noncing = HKDF.Expand(HashAlgorithmName.SHA256, key.ToArray(), 32, "nonce"u8.ToArray());
    readonly string? _base = BaseOf(publicUrl);

    /// <summary>Recipients can reach us.</summary>
    public bool IsOn => _base is not null;

    /// <summary>Adds the fields to bulk mail of one recipient that does not have them. What came whole stays as it came.</summary>
    /// <param name="recipients">All of the message.</param>
    public MessageContent AddTo(
        MessageContent content, TenantId tenant, MailStream stream, MessageId message, IReadOnlyList<MessageRecipient> recipients)
    {
        if (_base is null || stream != MailStream.Bulk || recipients.Count != 1 || content.Mime is not null
            || content.Headers.Any(header => header.Name.Equals(Field, StringComparison.OrdinalIgnoreCase)))
            return content;
        var only = recipients[0];
        var link = LinkOf(new Unsubscription(tenant, stream, message, only.N, only.Mailbox.Address.ToString()));
        var others = content.Headers.Where(header => !header.Name.Equals(PostField, StringComparison.OrdinalIgnoreCase));
        return content with { Headers = [.. others, Of(Field, $"<{link}>"), Of(PostField, "List-Unsubscribe=One-Click")] };
    }

    string LinkOf(Unsubscription who) => $"{_base}{Path}{TokenOf(who)}";

    internal string TokenOf(Unsubscription who)
    {
        var address = Encoding.UTF8.GetBytes(who.Email);
        var text = new byte[FixedBytes + address.Length];
        BinaryPrimitives.WriteInt32BigEndian(text, who.Tenant.Value);
        text[4] = (byte)who.Stream;
        BinaryPrimitives.WriteInt64BigEndian(text.AsSpan(5), who.Message.Value);
        BinaryPrimitives.WriteInt32BigEndian(text.AsSpan(13), who.N);
        address.CopyTo(text, FixedBytes);

        var token = new byte[1 + NonceBytes + TagBytes + text.Length];
        token[0] = Version;
        var nonce = token.AsSpan(1, NonceBytes);
        HMACSHA256.HashData(_noncing, text).AsSpan(0, NonceBytes).CopyTo(nonce);
        using var cipher = new AesGcm(_sealing, TagBytes);
        cipher.Encrypt(nonce, text, token.AsSpan(1 + NonceBytes + TagBytes), token.AsSpan(1 + NonceBytes, TagBytes), [Version]);
        return Base64Url.EncodeToString(token);
    }

    /// <summary>False for what is no token of ours: forged, altered, of another purpose.</summary>
    public bool TryRead(string token, out Unsubscription who)
    {
        who = default;
        var bytes = new byte[Base64Url.GetMaxDecodedLength(Math.Min(token.Length, MaxTokenLength))];
        if (token.Length > MaxTokenLength || Base64Url.DecodeFromChars(token, bytes, out _, out var length) != OperationStatus.Done
            || length <= 1 + NonceBytes + TagBytes + FixedBytes || bytes[0] != Version)
            return false;
        var text = new byte[length - 1 - NonceBytes - TagBytes];
        using var cipher = new AesGcm(_sealing, TagBytes);
        try
        {
            cipher.Decrypt(bytes.AsSpan(1, NonceBytes), bytes.AsSpan(1 + NonceBytes + TagBytes, text.Length),
                bytes.AsSpan(1 + NonceBytes, TagBytes), text, [Version]);
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
        who = new Unsubscription(
            new TenantId(BinaryPrimitives.ReadInt32BigEndian(text)), (MailStream)text[4],
            new MessageId(BinaryPrimitives.ReadInt64BigEndian(text.AsSpan(5))), BinaryPrimitives.ReadInt32BigEndian(text.AsSpan(13)),
            Encoding.UTF8.GetString(text.AsSpan(FixedBytes)));
        return true;
    }

    static string? BaseOf(string publicUrl) =>
        Uri.TryCreate(publicUrl, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && !uri.IsLoopback
            ? publicUrl.TrimEnd('/') : null;

    static HeaderField Of(string name, string value) => HeaderField.TryCreate(name, value, out var field, out var fault)
        ? field : throw new InvalidOperationException($"{name}: {fault.Describe()}");
}
