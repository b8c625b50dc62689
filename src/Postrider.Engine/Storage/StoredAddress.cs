using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Addresses as rows hold them, and the hashes under which they are found.</summary>
static class StoredAddress
{
    // What was accepted stays readable, under whatever rules it was accepted.
    static readonly AddressRules AnyAccepted = new() { AllowIpLiteral = true, AllowSingleLabelDomain = true };

    public static EmailAddress Parse(string text) => EmailAddress.TryParse(text, AnyAccepted, out var address, out var fault)
        ? address
        : throw new InvalidDataException($"A stored address is refused: {fault.Describe()}.");

    /// <summary>False for what can be no address of ours.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out EmailAddress? address) =>
        EmailAddress.TryParse(text, AnyAccepted, out address, out _);

    public static Mailbox Mailbox(string? name, string address) => new(name, Parse(address));

    /// <summary>Reads a mailbox as it prints itself.</summary>
    public static Mailbox ParseMailbox(string text) =>
        Postrider.Mail.Addresses.Mailbox.TryParse(text, AnyAccepted, out var mailbox, out var fault)
        ? mailbox
        : throw new InvalidDataException($"A stored mailbox is refused: {fault.Describe()}.");

    /// <summary>The form in which two spellings of one mailbox meet: all in lower case, the domain with A-labels.
    /// RFC 5321 §2.4 lets hosts tell local parts apart by case; none that matters does, and a suppression must not be passed by a
    /// capital.</summary>
    public static string Normal(EmailAddress address) => address.ToAscii().ToLowerInvariant();

    /// <summary>Where the search index has an address of a tenant: any 63 bits will do, a hit is compared with the row.</summary>
    public static long SearchHash(TenantId tenant, EmailAddress address) => SearchHash('a', tenant, Normal(address));

    /// <summary>Where the search index has a tag of a tenant.</summary>
    public static long SearchHash(TenantId tenant, string tag) => SearchHash('t', tenant, tag);

    static long SearchHash(char kind, TenantId tenant, string text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Hash(kind, tenant, text, hash);
        return BinaryPrimitives.ReadInt64LittleEndian(hash) & long.MaxValue;
    }

    /// <summary>The key of the suppression list: 128 bits of SHA-256, as nothing is compared after a hit.</summary>
    public static void SuppressionHash(TenantId tenant, EmailAddress address, Span<byte> key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Hash('s', tenant, Normal(address), hash);
        hash[..SuppressionHashBytes].CopyTo(key);
    }

    /// <param name="address">As a row holds it.</param>
    public static void SuppressionHash(TenantId tenant, string address, Span<byte> key) => SuppressionHash(tenant, Parse(address), key);

    public const int SuppressionHashBytes = 16;

    static void Hash(char kind, TenantId tenant, string text, Span<byte> hash)
    {
        // 320 holds the longest address in ASCII; a longer tag takes the heap.
        var size = 5 + Encoding.UTF8.GetMaxByteCount(text.Length);
        var input = size <= 1024 ? stackalloc byte[size] : new byte[size];
        input[0] = (byte)kind;
        BinaryPrimitives.WriteInt32LittleEndian(input[1..], tenant.Value);
        var length = 5 + Encoding.UTF8.GetBytes(text, input[5..]);
        SHA256.HashData(input[..length], hash);
    }
}
