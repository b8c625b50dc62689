using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Postrider.Tenants;

/// <summary>What a link to choose a password says.</summary>
/// <param name="UserId"><see cref="UserLinks.Nobody"/>: whoever opens it becomes the first administrator.</param>
/// <param name="Stamp">Of the user when the link was made.</param>
public readonly record struct UserLink(long UserId, int Stamp)
{
    public bool IsForFirst => UserId == UserLinks.Nobody;
}

/// <summary>Makes and reads links by which a password is chosen. Nothing of them is stored: they are signed, they end, and each is good for
/// one use, as choosing a password changes the stamp that it names; that for the first administrator ends with there being one.</summary>
/// <remarks>Base64url of: user (8 bytes), stamp (4), end in Unix seconds (8), HMAC-SHA-256 of those, cut to 16 bytes.</remarks>
public sealed class UserLinks(MasterKey master, TimeProvider clock)
{
    public const long Nobody = 0;

    /// <summary>How long a link is good.</summary>
    public static readonly TimeSpan Lasting = TimeSpan.FromHours(24);

    const int TextBytes = 20;
    const int MacBytes = 16;

    readonly byte[] _key = master.Derive("postrider/user-links/1");

    public string ForFirst() => Make(new UserLink(Nobody, 0));

    public string For(User user) => Make(new UserLink(user.Id, user.Stamp));

    /// <summary>Null for what we did not make, and for what has ended.</summary>
    public UserLink? Read(string text)
    {
        Span<byte> bytes = stackalloc byte[TextBytes + MacBytes];
        if (text.Length > 100 || !Base64Url.IsValid(text, out var length) || length != bytes.Length)
            return null;
        Base64Url.DecodeFromChars(text, bytes);
        if (!CryptographicOperations.FixedTimeEquals(Mac(bytes[..TextBytes]), bytes[TextBytes..]))
            return null;
        var ends = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(bytes[12..]));
        return clock.GetUtcNow() < ends
            ? new UserLink(BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt32BigEndian(bytes[8..])) : null;
    }

    string Make(UserLink link)
    {
        Span<byte> bytes = stackalloc byte[TextBytes + MacBytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, link.UserId);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], link.Stamp);
        BinaryPrimitives.WriteInt64BigEndian(bytes[12..], (clock.GetUtcNow() + Lasting).ToUnixTimeSeconds());
        Mac(bytes[..TextBytes]).CopyTo(bytes[TextBytes..]);
        return Base64Url.EncodeToString(bytes);
    }

    ReadOnlySpan<byte> Mac(ReadOnlySpan<byte> text) => HMACSHA256.HashData(_key, text).AsSpan(0, MacBytes);
}
