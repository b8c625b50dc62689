using System.Buffers.Binary;
using System.Security.Cryptography;
using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>Makes the return paths that mail servers report to, and reads them when they come back: each names its message, says until when
/// it holds, and cannot be made by anybody else.</summary>
/// <remarks>
/// <c>b-</c> and 36 characters of base32, 38 of the 64 that a local part may have, in lower case and read in any. In it: 8 bytes message, 2
/// bytes recipient (65,535: several), 2 bytes day, 10 bytes of HMAC-SHA256.
/// </remarks>
public sealed class ReturnPaths
{
    /// <summary>Servers give up after five days; some queues are stuck for longer.</summary>
    static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    static readonly DateTimeOffset FirstDay = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    const string Prefix = "b-";
    const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567"; // RFC 4648 §6
    const int ContentBytes = 12;
    const int ProofBytes = 10;
    const int TagLength = (8 * (ContentBytes + ProofBytes) + 4) / 5;
    const ushort Several = ushort.MaxValue;

    readonly byte[] _key;
    readonly TimeProvider _clock;

    /// <param name="key">Of this purpose alone.</param>
    /// <param name="domain">Whose mail comes to us.</param>
    public ReturnPaths(byte[] key, string domain, TimeProvider clock)
    {
        (_key, _clock) = (key, clock);
        Domain = EmailAddress.Parse($"postmaster@{domain}").AsciiDomain;
    }

    /// <summary>In ASCII.</summary>
    public string Domain { get; }

    /// <param name="n">The only recipient; null where there are several, and a report has to name them.</param>
    public EmailAddress Make(MessageId message, int? n)
    {
        Span<byte> tag = stackalloc byte[ContentBytes + ProofBytes];
        BinaryPrimitives.WriteInt64BigEndian(tag, message.Value);
        BinaryPrimitives.WriteUInt16BigEndian(tag[8..], n is >= 0 and < Several ? (ushort)n : Several);
        BinaryPrimitives.WriteUInt16BigEndian(tag[10..], (ushort)Math.Clamp(DaysAt(_clock.GetUtcNow() + Lifetime), 0, ushort.MaxValue));
        Prove(tag[..ContentBytes], tag[ContentBytes..]);
        return EmailAddress.Parse($"{Prefix}{Encode(tag)}@{Domain}");
    }

    /// <summary>Whether an address looks like one of these: at our domain, and of their form.</summary>
    public bool IsOurs(EmailAddress address) =>
        address.AsciiDomain.Equals(Domain, StringComparison.OrdinalIgnoreCase) && address.LocalPart.Length == Prefix.Length + TagLength
        && address.LocalPart.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase);

    public ReturnPathReading Read(EmailAddress address)
    {
        Span<byte> tag = stackalloc byte[ContentBytes + ProofBytes];
        if (!IsOurs(address) || !TryDecode(address.LocalPart.AsSpan(Prefix.Length), tag))
            return new ReturnPathReading(ReturnPathState.Forged, default, null);
        Span<byte> proof = stackalloc byte[ProofBytes];
        Prove(tag[..ContentBytes], proof);
        if (!CryptographicOperations.FixedTimeEquals(proof, tag[ContentBytes..]))
            return new ReturnPathReading(ReturnPathState.Forged, default, null);
        var n = BinaryPrimitives.ReadUInt16BigEndian(tag[8..]);
        var isOver = DaysAt(_clock.GetUtcNow()) > BinaryPrimitives.ReadUInt16BigEndian(tag[10..]);
        var state = isOver ? ReturnPathState.TooLate : ReturnPathState.Genuine;
        return new ReturnPathReading(state, new MessageId(BinaryPrimitives.ReadInt64BigEndian(tag)), n == Several ? null : n);
    }

    void Prove(ReadOnlySpan<byte> content, Span<byte> proof)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, content, hash);
        hash[..ProofBytes].CopyTo(proof);
    }

    static long DaysAt(DateTimeOffset at) => (long)(at - FirstDay).TotalDays;

    static string Encode(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = stackalloc char[TagLength];
        for (var i = 0; i < text.Length; i++)
        {
            var bit = 5 * i;
            var pair = bytes[bit / 8] << 8 | (bit / 8 + 1 < bytes.Length ? bytes[bit / 8 + 1] : 0);
            text[i] = Alphabet[pair >> (11 - bit % 8) & 31];
        }
        return new string(text);
    }

    static bool TryDecode(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        var (buffer, bits, at) = (0, 0, 0);
        foreach (var c in text)
        {
            var value = Alphabet.IndexOf(char.ToLowerInvariant(c), StringComparison.Ordinal);
            if (value < 0)
                return false;
            (buffer, bits) = ((buffer << 5 | value) & 0xFFF, bits + 5);
            if (bits < 8)
                continue;
            bits -= 8;
            bytes[at++] = (byte)(buffer >> bits);
        }
        // What is left over is nothing: one tag has one spelling.
        return (buffer & ((1 << bits) - 1)) == 0;
    }
}

/// <summary>Whether a return path that came back is ours.</summary>
public enum ReturnPathState : byte { Genuine, TooLate, Forged }

/// <param name="N">The recipient; null: one of several.</param>
public readonly record struct ReturnPathReading(ReturnPathState State, MessageId Message, int? N);
