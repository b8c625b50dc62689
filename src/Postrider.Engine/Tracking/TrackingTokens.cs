using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Tracking;

/// <summary>What a tracking address stands for. The numbers are in addresses that were sent.</summary>
public enum HitKind : byte
{
    Open = 1,
    Click = 2,
}

/// <summary>What a genuine token says.</summary>
/// <param name="N">The recipient; null where the message went to several, and nobody knows who of them it is.</param>
/// <param name="Target">Where a click leads; empty for an open.</param>
public readonly record struct TrackingToken(HitKind Kind, TenantId Tenant, MessageId Message, int? N, string Target);

/// <summary>Makes and reads the last part of tracking addresses. All that an address does is inside its MAC, so nobody can make one, or one
/// that leads elsewhere; the key is for this purpose alone, so nothing else that we sign is taken for one.</summary>
/// <remarks>
/// Base64url (RFC 4648 §5) without padding of: version, kind, id of the master key (4), tenant (4), message (8), recipient (2; 0xFFFF:
/// none), target (UTF-8), HMAC-SHA256 of all that cut to 16 bytes. The same for the same every time: each try of a message is the
/// same bytes.
/// Tokens have no time at which they end: people follow links in old mail.
/// </remarks>
public sealed class TrackingTokens
{
    /// <summary>A longer target is left as it is: addresses of more than some 8,000 characters are refused on the way.</summary>
    public const int MaxTargetBytes = 2_000;

    const byte Version = 1;
    const int HeadBytes = 20;
    const int MacBytes = 16;
    const int MaxBytes = HeadBytes + MaxTargetBytes + MacBytes;
    const ushort Nobody = ushort.MaxValue;

    /// <summary>Base64 of <see cref="MaxBytes"/>.</summary>
    const int MaxLength = ((MaxBytes * 4) + 2) / 3;

    readonly byte[] _key;
    readonly uint _keyId;

    public TrackingTokens(MasterKey masterKey) => (_key, _keyId) = (masterKey.Derive("postrider/tracking/1"), masterKey.Id);

    public string Make(in TrackingToken token)
    {
        var length = HeadBytes + Encoding.UTF8.GetByteCount(token.Target);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, HeadBytes + MaxTargetBytes);
        Span<byte> bytes = stackalloc byte[length + MacBytes];
        bytes[0] = Version;
        bytes[1] = (byte)token.Kind;
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], _keyId);
        BinaryPrimitives.WriteInt32BigEndian(bytes[6..], token.Tenant.Value);
        BinaryPrimitives.WriteInt64BigEndian(bytes[10..], token.Message.Value);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[18..], token.N is { } n ? checked((ushort)n) : Nobody);
        Encoding.UTF8.GetBytes(token.Target, bytes[HeadBytes..]);
        Sign(bytes[..length], bytes[length..]);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>False for whatever we did not make, to the bit, and for what we made for the other kind.</summary>
    public bool TryRead(string text, HitKind kind, [MaybeNullWhen(false)] out TrackingToken token)
    {
        token = default;
        Span<byte> bytes = stackalloc byte[MaxBytes];
        if (text.Length > MaxLength || Base64Url.DecodeFromChars(text, bytes, out _, out var length) != System.Buffers.OperationStatus.Done
            || length < HeadBytes + MacBytes)
            return false;
        bytes = bytes[..length];
        Span<byte> mac = stackalloc byte[MacBytes];
        Sign(bytes[..^MacBytes], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, bytes[^MacBytes..]))
            return false;
        // The last character has bits that say nothing: one address is one text.
        if (bytes[0] != Version || bytes[1] != (byte)kind || BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]) != _keyId
            || !text.AsSpan().SequenceEqual(Base64Url.EncodeToString(bytes)))
            return false;
        var n = BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]);
        token = new TrackingToken(
            kind, new TenantId(BinaryPrimitives.ReadInt32BigEndian(bytes[6..])),
            new MessageId(BinaryPrimitives.ReadInt64BigEndian(bytes[10..])), n == Nobody ? null : n,
            Encoding.UTF8.GetString(bytes[HeadBytes..^MacBytes]));
        return true;
    }

    void Sign(ReadOnlySpan<byte> said, Span<byte> mac)
    {
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, said, whole);
        whole[..MacBytes].CopyTo(mac);
    }
}
