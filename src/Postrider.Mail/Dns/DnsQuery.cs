using System.Buffers.Binary;
using System.Text;

namespace Postrider.Mail.Dns;

/// <summary>Questions as bytes (RFC 1035 §4.1).</summary>
static class DnsQuery
{
    /// <summary>Header, a name, its type, class and an OPT record.</summary>
    public const int MaxBytes = HeaderBytes + MaxNameBytes + 4 + OptBytes;

    public const int HeaderBytes = 12;

    /// <summary>RFC 1035 §2.3.4.</summary>
    const int MaxNameBytes = 255;

    /// <summary>RFC 6891 §6.2.5, and what every path carries in one piece: no fragments, which could be forged.</summary>
    const ushort UdpPayload = 1232;
    const int OptBytes = 11;
    const ushort RecursionDesired = 0x0100;
    const ushort Internet = 1;

    /// <summary>False for what is no name: labels of 1 to 63 octets, 255 in all. A dot at the end may be there.</summary>
    /// <param name="name">ASCII.</param>
    /// <param name="id">Random: an answer without it is none.</param>
    /// <param name="extended">Asks for answers above 512 octets by UDP (EDNS); old servers do not know it.</param>
    public static bool TryWrite(string name, DnsRecordType type, ushort id, bool extended, Span<byte> query, out int length)
    {
        query[..HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(query, id);
        BinaryPrimitives.WriteUInt16BigEndian(query[2..], RecursionDesired);
        BinaryPrimitives.WriteUInt16BigEndian(query[4..], 1);
        BinaryPrimitives.WriteUInt16BigEndian(query[10..], (ushort)(extended ? 1 : 0));
        length = HeaderBytes;
        if (!TryWriteName(name, query, ref length))
            return false;
        BinaryPrimitives.WriteUInt16BigEndian(query[length..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(query[(length + 2)..], Internet);
        length += 4;
        if (!extended)
            return true;
        // RFC 6891 §6.1.2: the root as name, type 41, our size in place of the class, no flags, no options.
        ReadOnlySpan<byte> opt = [0, 0, 41, UdpPayload >> 8, UdpPayload & 0xFF, 0, 0, 0, 0, 0, 0];
        opt.CopyTo(query[length..]);
        length += opt.Length;
        return true;
    }

    static bool TryWriteName(string name, Span<byte> query, ref int at)
    {
        var text = name.AsSpan().TrimEnd('.');
        if (text.IsEmpty || text.Length > MaxNameBytes - 2 || !Ascii.IsValid(text))
            return false;
        foreach (var range in text.Split('.'))
        {
            var label = text[range];
            if (label.Length is 0 or > 63)
                return false;
            query[at++] = (byte)label.Length;
            Ascii.FromUtf16(label, query[at..], out var written);
            at += written;
        }
        query[at++] = 0;
        return true;
    }
}
